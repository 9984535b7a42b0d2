import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import type { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { parseReference } from "../../../src/image/reference.ts";
import { Certificates } from "../../../src/registry/certificates.ts";
import { NodeHttpTransport } from "../../../src/registry/http-transport.ts";
import { RegistryClient } from "../../../src/registry/registry-client.ts";
import { credentialsOf, instantRetries } from "../../support/registry-client.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf, thrownBy } from "../../support/thrown-by.ts";

const directory = useTemporaryDirectory();
const pem = (name: string): string => fileURLToPath(new URL(`../../../fixtures/tls/${name}`, import.meta.url));
const signal = new AbortController().signal;
const servers: http.Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Who came, by the common name of the certificate that was shown; "" for none. */
interface Server {
  readonly host: string;
  readonly visitors: string[];
}

async function listen(settings: { readonly location?: string } = {}): Promise<Server> {
  const visitors: string[] = [];
  const own = { key: readFileSync(pem("server.key")), cert: readFileSync(pem("server.crt")) };
  const asking = { requestCert: true, rejectUnauthorized: false, ca: readFileSync(pem("ca.crt")) };
  const server = https.createServer({ ...own, ...asking }, (request, response) => {
    visitors.push(String((request.socket as TLSSocket).getPeerCertificate().subject?.CN ?? ""));
    if (settings.location === undefined) response.writeHead(404).end();
    else response.writeHead(307, { location: settings.location }).end();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, visitors };
}

/** Asks `host` for a manifest; what comes of it is SOURCE_NOT_FOUND when the connection is trusted. */
async function codeOf(
  host: string,
  environment: NodeJS.ProcessEnv,
  directories: readonly string[] = [],
): Promise<string> {
  const user = { HOME: join(directory.path, "home") };
  const certificates = new Certificates({ ...user, ...environment }, directories);
  const transport = new NodeHttpTransport(environment, undefined, certificates);
  // Registries on this machine are asked without TLS unless the settings say otherwise.
  const config = new Map([[host, { mirrors: [], plainHttp: false }]]);
  const client = new RegistryClient(transport, credentialsOf({}), config, instantRetries(1));
  const error = await rejectionOf(client.fetchManifest(parseReference(`${host}/app:1`), signal));
  transport.close();
  return error.code;
}

/** A directory of the test with copies of `names` in it. */
function place(path: string, ...names: readonly string[]): string {
  const full = join(directory.path, path);
  mkdirSync(full, { recursive: true });
  for (const name of names) copyFileSync(pem(name), join(full, name));
  return full;
}

test("a registry whose authority nobody named is not trusted", async () => {
  const { host, visitors } = await listen();
  expect(await codeOf(host, {})).toBe("SOURCE_UNAVAILABLE");
  expect(visitors).toEqual([]);
});

test.each<[string, (host: string) => readonly [NodeJS.ProcessEnv, readonly string[]]]>([
  ["of the system", (host) => [{}, [place("none"), dirname(place(`certs.d/${host}`, "ca.crt"))]]],
  [
    "of the user",
    (host) => {
      place(`config/containers/certs.d/${host}`, "ca.crt");
      return [{ XDG_CONFIG_HOME: join(directory.path, "config") }, []];
    },
  ],
  ["that is given, by host", (host) => [{ TSBUILD_CERT_DIR: dirname(place(`given/${host}`, "ca.crt")) }, []]],
  ["that is given", () => [{ TSBUILD_CERT_DIR: place("given", "ca.crt") }, []]],
])("the authority in the directory %s is trusted, for its host", async (_which, make) => {
  const { host, visitors } = await listen();
  const [environment, directories] = make(host);
  expect(await codeOf(host, environment, directories)).toBe("SOURCE_NOT_FOUND");
  expect(visitors).toEqual([""]);
});

test("the authority of one host is not that of another", async () => {
  const [one, other] = [await listen(), await listen()];
  const directories = [dirname(place(`certs.d/${one.host}`, "ca.crt"))];
  expect(await codeOf(one.host, {}, directories)).toBe("SOURCE_NOT_FOUND");
  expect(await codeOf(other.host, {}, directories)).toBe("SOURCE_UNAVAILABLE");
});

test("a client certificate is shown to its host", async () => {
  const { host, visitors } = await listen();
  const directories = [dirname(place(`certs.d/${host}`, "ca.crt", "client.cert", "client.key"))];
  await codeOf(host, {}, directories);
  expect(visitors).toEqual(["client"]);
});

test("a client certificate is not shown to where the registry sends somebody", async () => {
  const target = await listen();
  const { host, visitors } = await listen({ location: `https://${target.host}/` });
  const given = place("given", "ca.crt", "client.cert", "client.key");
  expect(await codeOf(host, { TSBUILD_CERT_DIR: given })).toBe("SOURCE_NOT_FOUND");
  expect([visitors, target.visitors]).toEqual([["client"], [""]]);
});

test("a client certificate without its key is an error that names it", () => {
  const given = place("given", "client.cert");
  const certificates = new Certificates({ TSBUILD_CERT_DIR: given }, []);
  const error = thrownBy(() => certificates.find(new URL("https://r.example"), true));
  expect(error).toMatchObject({ code: "CONFIG_INVALID", hint: "its key is looked for as client.key" });
});

test("names of hosts in directories: with port, without the usual one, docker.io as in references", () => {
  const parent = join(directory.path, "certs.d");
  for (const name of ["r.example:5000", "s.example:443", "docker.io", "[::1]:5000"]) place(`certs.d/${name}`, "ca.crt");
  writeFileSync(join(parent, "t.example"), "");
  const certificates = new Certificates({ HOME: directory.path }, [parent]);
  const isKnown = (url: string): boolean => certificates.find(new URL(url), true) !== null;
  const hosts = ["r.example:5000", "r.example", "s.example", "registry-1.docker.io", "[::1]:5000", "t.example"];
  expect(hosts.filter((host) => isKnown(`https://${host}/v2/`))).toEqual([
    "r.example:5000",
    "s.example",
    "registry-1.docker.io",
    "[::1]:5000",
  ]);
});
