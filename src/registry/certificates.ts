import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { BuildError } from "../base/errors.ts";

/** What a connection to one host trusts and shows. PEM. */
export interface HostCertificates {
  /** Authorities, those every connection trusts included; null for only those. */
  readonly ca: readonly string[] | null;
  readonly client: { readonly cert: string; readonly key: string } | null;
}

const systemDirectories: readonly string[] = ["/etc/containers/certs.d", "/etc/docker/certs.d"];

/**
 * Certificates by host, as podman and docker keep them: `certs.d/HOST[:PORT]/` with authorities as `*.crt` and a client
 * certificate as `*.cert` with its key as `*.key`. $TSBUILD_CERT_DIR goes first, as such a directory of hosts or as the
 * directory for the registry itself; then the user's, then the system's.
 */
export class Certificates {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #systemDirectories: readonly string[];
  readonly #known = new Map<string, HostCertificates | null>();

  constructor(environment: NodeJS.ProcessEnv, directories = systemDirectories) {
    this.#environment = environment;
    this.#systemDirectories = directories;
  }

  /**
   * Null when there are none for the host of `url`. `isRegistry`: it is the registry that was named, not a host that it
   * sends to; only then the client certificate of a directory without hosts is shown. Throws CONFIG_INVALID.
   */
  find(url: URL, isRegistry: boolean): HostCertificates | null {
    const key = `${url.host} ${isRegistry}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#read(url, isRegistry);
    this.#known.set(key, found);
    return found;
  }

  #read(url: URL, isRegistry: boolean): HostCertificates | null {
    const names = [
      url.host,
      ...(url.port === "" ? [`${url.hostname}:443`] : []),
      ...(url.host === "registry-1.docker.io" ? ["docker.io"] : []),
    ];
    const given = this.#environment.TSBUILD_CERT_DIR;
    const user = join(
      this.#environment.XDG_CONFIG_HOME || join(this.#environment.HOME || homedir(), ".config"),
      "containers",
      "certs.d",
    );
    for (const parent of [...(given ? [given] : []), user, ...this.#systemDirectories]) {
      for (const name of names) {
        const found = this.#readDirectory(join(parent, name));
        if (found !== null) return found;
      }
      if (parent !== given) continue;
      const flat = this.#readDirectory(parent);
      if (flat !== null) return isRegistry ? flat : { ca: flat.ca, client: null };
    }
    return null;
  }

  /** Null when there is no such directory, or nothing in it that counts. */
  #readDirectory(directory: string): HostCertificates | null {
    const names = namesIn(directory);
    const authorities = names.filter((name) => name.endsWith(".crt")).map((name) => read(join(directory, name)));
    const [cert] = names.filter((name) => name.endsWith(".cert"));
    const key = cert === undefined ? undefined : `${cert.slice(0, -".cert".length)}.key`;
    if (key !== undefined && !names.includes(key))
      throw new BuildError("CONFIG_INVALID", `certificate ${JSON.stringify(join(directory, cert ?? ""))}: has no key`, {
        hint: `its key is looked for as ${key}`,
      });
    if (authorities.length === 0 && cert === undefined) return null;
    return {
      ca: authorities.length === 0 ? null : [...tls.rootCertificates, ...this.#extraAuthorities(), ...authorities],
      client:
        cert === undefined || key === undefined
          ? null
          : { cert: read(join(directory, cert)), key: read(join(directory, key)) },
    };
  }

  /** Those of NODE_EXTRA_CA_CERTS, which a list of our own would take the place of. */
  #extraAuthorities(): readonly string[] {
    const file = this.#environment.NODE_EXTRA_CA_CERTS;
    if (!file) return [];
    try {
      return [readFileSync(file, "utf8")];
    } catch {
      // As Node does: a file that is not there adds nothing.
      return [];
    }
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(code)) return [];
    throw new BuildError("CONFIG_INVALID", `directory ${JSON.stringify(directory)}: cannot be read (${code})`, {
      cause,
    });
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    throw new BuildError("CONFIG_INVALID", `certificate ${JSON.stringify(file)}: cannot be read (${code})`, { cause });
  }
}
