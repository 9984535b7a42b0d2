import { afterEach, describe, expect, test } from "vitest";
import { BuildError } from "../../../src/base/errors.ts";
import { parseReference } from "../../../src/image/reference.ts";
import type { CredentialSource } from "../../../src/registry/credentials.ts";
import { RegistryClient } from "../../../src/registry/registry-client.ts";
import { checkRealm } from "../../../src/registry/token-server.ts";
import { faults, type RegistryAuth, TestRegistry } from "../../support/registry.ts";
import { collect, credentialsOf, instantRetries, testClient } from "../../support/registry-client.ts";
import { ScriptedTransport } from "../../support/scripted-transport.ts";
import { rejectionOf, thrownBy } from "../../support/thrown-by.ts";

const signal = new AbortController().signal;
const started: TestRegistry[] = [];
async function start(auth: RegistryAuth): Promise<TestRegistry> {
  const registry = await TestRegistry.start(auth);
  started.push(registry);
  registry.addImage("latest");
  return registry;
}
afterEach(async () => {
  for (const registry of started.splice(0)) await registry.close();
});

const password = { kind: "password", username: "me", password: "s3cret" } as const;
const bearer = { kind: "bearer", user: null } as const;
const privateBearer = { kind: "bearer", user: { name: "me", password: "s3cret" } } as const;
const basicAuth = { kind: "basic", username: "me", password: "s3cret" } as const;
const fetchFrom = (registry: TestRegistry, credentials?: CredentialSource) =>
  testClient(credentials === undefined ? {} : { credentials }).fetchManifest(
    parseReference(`${registry.host}/ns/app`),
    signal,
  );

describe("a registry that wants a token", () => {
  test("gets one from its token server, for this repository, without credentials when there are none", async () => {
    const registry = await start(bearer);
    await fetchFrom(registry);
    expect(registry.log).toEqual([
      "GET /v2/ns/app/manifests/latest",
      "GET /token?service=test&scope=repository%3Ans%2Fapp%3Apull",
      "GET /v2/ns/app/manifests/latest",
    ]);
    expect(registry.requests.map((request) => request.headers.authorization)).toEqual([
      undefined,
      undefined,
      "Bearer token-1",
    ]);
  });

  test("gets the password at its token server only", async () => {
    const registry = await start(privateBearer);
    await fetchFrom(registry, credentialsOf({ [registry.host]: password }));
    expect(registry.requests[1]?.headers.authorization).toBe(`Basic ${Buffer.from("me:s3cret").toString("base64")}`);
    expect(registry.requests[2]?.headers.authorization).toBe("Bearer token-1");
  });

  test("gets an identity token by POST", async () => {
    const registry = await start({ ...privateBearer, identityToken: "refresh-me" });
    await fetchFrom(registry, credentialsOf({ [registry.host]: { kind: "identity-token", token: "refresh-me" } }));
    const [, request] = registry.requests;
    expect(request).toMatchObject({ method: "POST", url: "/token" });
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
      grant_type: "refresh_token",
      refresh_token: "refresh-me",
      client_id: "tsbuild",
      service: "test",
      scope: "repository:ns/app:pull",
    });
  });

  test("gets the same token for all requests about a repository, also at the same time", async () => {
    const registry = await start(bearer);
    const client = testClient();
    const repository = parseReference(`${registry.host}/ns/app`);
    const blobs = ["a", "b", "c", "d"].map((content) => registry.addBlob(content));
    await Promise.all(blobs.map(async (blob) => collect(await client.openBlob(repository, blob, signal))));
    await client.fetchManifest(repository, signal);
    expect(registry.log.filter((line) => line.startsWith("GET /token"))).toHaveLength(1);
    expect(registry.requests.at(-1)?.headers.authorization).toBe("Bearer token-1");
  });

  test("gets a new one when the old one is not accepted any more", async () => {
    const registry = await start(bearer);
    const client = testClient();
    const repository = parseReference(`${registry.host}/ns/app`);
    await client.fetchManifest(repository, signal);
    registry.fail(
      /manifests/,
      faults.status(401, { "www-authenticate": `Bearer realm="http://${registry.host}/token"` }),
      1,
    );
    await client.fetchManifest(repository, signal);
    expect(registry.requests.at(-1)?.headers.authorization).toBe("Bearer token-2");
  });

  test("is not asked in circles when it never accepts one", async () => {
    const registry = await start(bearer);
    registry.fail(
      /manifests/,
      faults.status(401, { "www-authenticate": `Bearer realm="http://${registry.host}/token"` }),
    );
    expect((await rejectionOf(fetchFrom(registry))).code).toBe("SOURCE_UNAUTHORIZED");
    expect(registry.log).toHaveLength(3);
  });

  test.each([
    ["a wrong password", privateBearer, "SOURCE_UNAUTHORIZED"],
    ["a wrong identity token", { ...privateBearer, identityToken: "other" }, "SOURCE_UNAUTHORIZED"],
  ] as const)("refuses %s, which no message tells", async (name, auth, code) => {
    const registry = await start(auth);
    const wrong = name.includes("identity")
      ? ({ kind: "identity-token", token: "wr0ng" } as const)
      : { ...password, password: "wr0ng" };
    const error = await rejectionOf(fetchFrom(registry, credentialsOf({ [registry.host]: wrong })));
    expect(error.code).toBe(code);
    expect(error.hint).toContain(`tsbuild login ${registry.host}`);
    expect(JSON.stringify([error.message, error.hint, error.details, String(error.cause)])).not.toContain("wr0ng");
  });

  test.each([
    ["an endless token", faults.endless(), "BLOB_TOO_LARGE"],
    ["a token that is no JSON", faults.body("token"), "SOURCE_INVALID"],
    ["no token", faults.body("{}"), "SOURCE_INVALID"],
    ["a token with a line break", faults.body('{"token":"a\\r\\nX: y"}'), "SOURCE_INVALID"],
    ["a token with a negative lifetime", faults.body('{"token":"a","expires_in":-1}'), "SOURCE_INVALID"],
    ["a redirect", faults.redirect("http://127.0.0.1:1/token"), "SOURCE_INVALID"],
    ["503", faults.status(503), "SOURCE_UNAVAILABLE"],
    ["a cut connection", faults.reset(), "SOURCE_UNAVAILABLE"],
  ])("may not answer with %s", async (_name, fault, code) => {
    const registry = await start(bearer);
    registry.fail(/\/token/, fault);
    expect((await rejectionOf(fetchFrom(registry))).code).toBe(code);
  });

  test("gets its token again after a short problem of the token server", async () => {
    const registry = await start(bearer);
    registry.fail(/\/token/, faults.status(503), 1);
    await fetchFrom(registry);
    expect(registry.requests.at(-1)?.headers.authorization).toBe("Bearer token-1");
  });
});

describe("a registry that wants a password", () => {
  test("gets it", async () => {
    const registry = await start(basicAuth);
    await fetchFrom(registry, credentialsOf({ [registry.host]: password }));
    expect(registry.requests[0]?.headers.authorization).toBeUndefined();
    expect(registry.requests[1]?.headers.authorization).toBe(`Basic ${Buffer.from("me:s3cret").toString("base64")}`);
  });

  test("does not get that of another registry", async () => {
    const registry = await start(basicAuth);
    const error = await rejectionOf(
      fetchFrom(registry, credentialsOf({ "127.0.0.1": password, "docker.io": password })),
    );
    expect(error.code).toBe("SOURCE_UNAUTHORIZED");
    expect(error.message).toContain("wants a user name and a password");
  });

  test("is told about a credential helper that does not work", async () => {
    const registry = await start(basicAuth);
    const broken: CredentialSource = {
      find: () =>
        Promise.reject(new BuildError("CONFIG_INVALID", "credential helper docker-credential-x: not found in PATH")),
    };
    const error = await rejectionOf(fetchFrom(registry, broken));
    expect(error.code).toBe("SOURCE_UNAUTHORIZED");
    expect(error.message).toContain("docker-credential-x: not found in PATH");
  });
});

test("a broken credential helper does not stop a build from public images", async () => {
  const registry = await start(bearer);
  await fetchFrom(registry, { find: () => Promise.reject(new BuildError("CONFIG_INVALID", "broken")) });
  expect(registry.requests.at(-1)?.headers.authorization).toBe("Bearer token-1");
});

describe("a token server", () => {
  const secure = { registry: "reg.example", origin: new URL("https://reg.example"), repository: "app" };
  const loopback = { registry: "127.0.0.1:5001", origin: new URL("http://127.0.0.1:5001"), repository: "app" };

  test.each([
    ["https://auth.example/token", secure],
    ["https://reg.example/token", secure],
    ["https://auth.reg.example:8443/token?x=y", secure],
    ["http://127.0.0.1:5001/token", loopback],
    ["https://auth.example/token", loopback],
    ["https://10.0.0.5/token", { ...secure, origin: new URL("https://10.0.0.5") }],
  ])("at %s may be asked", (realm, endpoint) => {
    expect(checkRealm(realm, endpoint).href).toBe(new URL(realm).href);
  });

  test.each([
    ["http://reg.example/token", secure],
    ["http://auth.example/token", secure],
    ["https://127.0.0.1/token", secure],
    ["https://localhost:8443/token", secure],
    ["https://x.localhost/token", secure],
    ["https://169.254.169.254/latest/meta-data", secure],
    ["https://10.1.2.3/token", secure],
    ["https://172.20.0.1/token", secure],
    ["https://192.168.1.1/token", secure],
    ["https://100.64.0.1/token", secure],
    ["https://0.0.0.0/token", secure],
    ["https://2130706433/token", secure],
    ["https://0x7f.1/token", secure],
    ["https://[::]/token", secure],
    ["https://[::1]/token", secure],
    ["https://[::ffff:127.0.0.1]/token", secure],
    ["https://[fe80::1]/token", secure],
    ["https://[fd00::1]/token", secure],
    ["https://user:pw@auth.example/token", secure],
    ["file:///etc/passwd", secure],
    ["data:application/json,{}", secure],
    ["/token", secure],
    ["", secure],
    ["http://127.0.0.1:5002/token", loopback],
    ["http://localhost:5001/token", loopback],
  ])("at %j is refused", (realm, endpoint) => {
    const error = thrownBy(() => checkRealm(realm, endpoint));
    expect(error.code).toBe("SOURCE_INVALID");
    expect(error.message).not.toContain("pw");
  });

  test("that is refused gets no request", async () => {
    const other = await start(bearer);
    const registry = await start({ ...bearer, realm: `http://${other.host}/token` });
    expect((await rejectionOf(fetchFrom(registry, credentialsOf({ [registry.host]: password })))).code).toBe(
      "SOURCE_INVALID",
    );
    expect(other.requests).toEqual([]);
  });
});

test("a registry that only speaks HTTP is not asked that way unless the settings say so", async () => {
  const transport = new ScriptedTransport(({ url }) => {
    if (url.protocol === "https:") throw Object.assign(new Error("wrong version number"), { code: "EPROTO" });
    return { status: 404 };
  });
  const clientWith = (plainHttp: boolean): RegistryClient =>
    new RegistryClient(
      transport,
      credentialsOf({ "reg.example": password }),
      new Map([["reg.example", { mirrors: [], plainHttp }]]),
      instantRetries(),
    );
  const reference = parseReference("reg.example/app");
  const error = await rejectionOf(clientWith(false).fetchManifest(reference, signal));
  expect(error.message).toBe("registry reg.example: does not speak TLS (EPROTO)");
  expect(error.hint).toContain("plainHttp");
  expect(transport.requests.map((request) => request.url.protocol)).toEqual(["https:"]);
  expect((await rejectionOf(clientWith(true).fetchManifest(reference, signal))).code).toBe("SOURCE_NOT_FOUND");
  expect(transport.requests.at(-1)?.url.protocol).toBe("http:");
});
