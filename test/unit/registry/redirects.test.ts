import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseReference } from "../../../src/image/reference.ts";
import { RegistryClient } from "../../../src/registry/registry-client.ts";
import { faults, TestRegistry } from "../../support/registry.ts";
import { collect, credentialsOf, instantRetries, testClient } from "../../support/registry-client.ts";
import { type ScriptedAnswer, ScriptedTransport } from "../../support/scripted-transport.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const signal = new AbortController().signal;
const password = { kind: "password", username: "me", password: "s3cret" } as const;
let registry: TestRegistry;
let elsewhere: TestRegistry;
beforeEach(async () => {
  registry = await TestRegistry.start({ kind: "basic", username: "me", password: "s3cret" });
  elsewhere = await TestRegistry.start();
});
afterEach(async () => {
  await registry.close();
  await elsewhere.close();
});

const readBlob = async (): Promise<Buffer> => {
  const client = testClient({ credentials: credentialsOf({ [registry.host]: password, [elsewhere.host]: password }) });
  return collect(await client.openBlob(parseReference(`${registry.host}/app`), registry.addBlob("content"), signal));
};
/** The registry answers whom it knows with a redirect. */
const redirectTo = (location: string): void =>
  registry.fail(/blobs/, (request, response, answer) => {
    if (request.headers.authorization === undefined) answer();
    else faults.redirect(location)(request, response, answer);
  });

describe("a redirect to another host", () => {
  test("is followed without credentials", async () => {
    const { digest } = elsewhere.addBlob("content");
    redirectTo(`http://${elsewhere.host}/v2/other/blobs/${digest}?signature=x`);
    expect((await readBlob()).toString()).toBe("content");
    expect(elsewhere.log).toEqual([`GET /v2/other/blobs/${digest}?signature=x`]);
    for (const name of ["authorization", "cookie", "proxy-authorization", "referer"]) {
      expect(elsewhere.requests[0]?.headers[name]).toBeUndefined();
    }
  });

  test.each(['Basic realm="x"', 'Bearer realm="https://auth.example/token"'])(
    "that answers 401 %s gets none",
    async (challenge) => {
      elsewhere.fail(/./, faults.status(401, { "www-authenticate": challenge }));
      redirectTo(`http://${elsewhere.host}/x`);
      expect((await rejectionOf(readBlob())).code).toBe("SOURCE_UNAUTHORIZED");
      expect(elsewhere.requests).toHaveLength(1);
      expect(elsewhere.requests[0]?.headers.authorization).toBeUndefined();
    },
  );

  test("and back is followed with credentials only at the registry", async () => {
    const blob = registry.addBlob("content");
    elsewhere.fail(/back/, faults.redirect(`http://${registry.host}/v2/copy/blobs/${blob.digest}`));
    registry.fail(/v2.app/, (request, response, answer) => {
      if (request.headers.authorization === undefined) answer();
      else faults.redirect(`http://${elsewhere.host}/back`)(request, response, answer);
    });
    expect((await readBlob()).toString()).toBe("content");
    expect(elsewhere.requests[0]?.headers.authorization).toBeUndefined();
  });
});

test("a redirect on the same host is followed, also by a relative URL, with credentials", async () => {
  const { digest } = registry.addBlob("content");
  registry.fail(/v2.app/, (request, response, answer) => {
    if (request.headers.authorization === undefined) answer();
    else faults.redirect(`../../copy/blobs/${digest}`, 302)(request, response, answer);
  });
  expect((await readBlob()).toString()).toBe("content");
});

test("ten redirects are followed, the eleventh is not", async () => {
  redirectTo(`http://${elsewhere.host}/loop`);
  elsewhere.fail(/loop/, faults.redirect("/loop"));
  expect((await rejectionOf(readBlob())).message).toContain("more than 10");
  expect(elsewhere.requests).toHaveLength(10);
});

test.each([
  ["file:///etc/passwd", "to file:"],
  ["data:text/plain,x", "to data:"],
  ["ftp://x/y", "to ftp:"],
  ["http://user:pw@127.0.0.1:1/", "to a URL with credentials"],
  ["http://[", "to nowhere"],
])("a redirect to %s is refused", async (location, problem) => {
  redirectTo(location);
  const error = await rejectionOf(readBlob());
  expect(error.code).toBe("SOURCE_INVALID");
  expect(error.message).toContain(problem);
  expect(error.message).not.toContain("pw");
});

describe("between HTTP and HTTPS", () => {
  const client = (
    script: (url: URL) => ScriptedAnswer,
  ): { transport: ScriptedTransport; registryClient: RegistryClient } => {
    const transport = new ScriptedTransport(({ url }) => script(url));
    return { transport, registryClient: new RegistryClient(transport, credentialsOf({}), new Map(), instantRetries()) };
  };
  const toward = (location: string) => (url: URL) =>
    url.pathname.startsWith("/v2/") ? { status: 302, headers: { location } } : { status: 404 };

  test("a redirect from HTTPS to HTTP is refused, and not asked for", async () => {
    const { transport, registryClient } = client(toward("http://reg.example/x"));
    const error = await rejectionOf(registryClient.fetchManifest(parseReference("reg.example/app"), signal));
    expect(error.message).toContain("from https to http");
    expect(transport.requests.map(({ url }) => url.protocol)).toEqual(["https:"]);
  });

  test("a redirect from HTTP to HTTPS is followed", async () => {
    const { transport, registryClient } = client(toward("https://reg.example/x"));
    await rejectionOf(registryClient.fetchManifest(parseReference("localhost:5000/app"), signal));
    expect(transport.requests.map(({ url }) => url.href)).toEqual([
      "http://localhost:5000/v2/app/manifests/latest",
      "https://reg.example/x",
    ]);
  });
});
