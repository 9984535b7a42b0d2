import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { BuildError } from "../base/errors.ts";
import { JsonReader } from "../image/json-reader.ts";
import { parseJsonObject } from "../image/strict-json.ts";
import { runCredentialHelper } from "../sys/credential-helper.ts";

export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** A refresh token, exchanged for access tokens at the token server. */
  | { readonly kind: "identity-token"; readonly token: string }
  /** Shown to the registry as it is. */
  | { readonly kind: "bearer"; readonly token: string };

/** Knows the user's credentials by registry. */
export interface CredentialSource {
  /** Null when there are none. Throws CONFIG_INVALID when they cannot be had. */
  find(registry: string): Promise<Credentials | null>;
}

/** Largest config.json of docker, in bytes. */
export const largestConfigBytes = 4 * 1024 * 1024;
const dockerHubServer = "https://index.docker.io/v1/";

/**
 * The credentials `docker login` and `tsbuild login` left: $DOCKER_CONFIG/config.json or ~/.docker/config.json with credHelpers, credsStore
 * and auths, in this order. The file is read when first asked, a helper is run once a registry.
 */
export class DockerCredentials implements CredentialSource {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #found = new Map<string, Promise<Credentials | null>>();
  #config: Promise<JsonReader | null> | null = null;

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment;
  }

  find(registry: string): Promise<Credentials | null> {
    const known = this.#found.get(registry);
    if (known !== undefined) return known;
    const found = this.#find(registry);
    this.#found.set(registry, found);
    return found;
  }

  async #find(registry: string): Promise<Credentials | null> {
    this.#config ??= readDockerConfig(this.#environment);
    const config = await this.#config;
    if (config === null) return null;
    const server = serverOf(registry);
    const helper = config.optionalObject("credHelpers")?.optionalString(server) || config.optionalString("credsStore");
    if (helper) {
      const found = await runCredentialHelper(helper, server, this.#environment);
      if (found !== null) return fromHelper(found.username, found.secret);
    }
    const auths = config.optionalObject("auths");
    const key =
      auths?.keys().find((name) => name === server) ?? auths?.keys().find((name) => hostOf(name) === hostOf(server));
    return auths === undefined || key === undefined ? null : readAuth(auths.object(key));
  }
}

const fromHelper = (username: string, secret: string): Credentials =>
  username === "<token>" ? { kind: "identity-token", token: secret } : { kind: "password", username, password: secret };

/** What docker calls a registry in its config.json and to credential helpers. */
export const serverOf = (registry: string): string => (registry === "docker.io" ? dockerHubServer : registry);

/** Where docker keeps its config. */
export const dockerConfigFile = (environment: NodeJS.ProcessEnv): string =>
  join(environment.DOCKER_CONFIG || join(environment.HOME || homedir(), ".docker"), "config.json");

/** Keys of `auths` are hosts or old-style URLs: `https://index.docker.io/v1/`. */
export const hostOf = (key: string): string => key.replace(/^https?:\/\//, "").replace(/\/.*$/, "");

async function readDockerConfig(environment: NodeJS.ProcessEnv): Promise<JsonReader | null> {
  const file = dockerConfigFile(environment);
  const failure = (problem: string): BuildError =>
    new BuildError("CONFIG_INVALID", `docker config ${file}: ${problem}`, {
      hint: "docker login and tsbuild login write this file",
    });
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return null;
    throw failure(`cannot be read (${String(code)})`);
  }
  return new JsonReader(parseJsonObject(bytes, largestConfigBytes, failure), "", failure);
}

function readAuth(entry: JsonReader): Credentials | null {
  const identityToken = entry.optionalString("identitytoken");
  if (identityToken) return { kind: "identity-token", token: identityToken };
  const registryToken = entry.optionalString("registrytoken");
  if (registryToken) return { kind: "bearer", token: registryToken };
  const auth = entry.optionalString("auth");
  if (auth) {
    const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
    const colon = text.indexOf(":");
    if (colon < 0) throw entry.failure("auth", "want base64 of name:password");
    return { kind: "password", username: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  const username = entry.optionalString("username");
  return username ? { kind: "password", username, password: entry.optionalString("password") ?? "" } : null;
}
