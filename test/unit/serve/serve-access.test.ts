import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import https from "node:https";
import net from "node:net";
import bcrypt from "bcryptjs";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import { parseHtpasswd } from "../../../src/serve/htpasswd.ts";
import { rejectionOf, thrownBy } from "../../support/thrown-by.ts";
import { everything, useRegistryServer } from "../../support/use-registry-server.ts";

const served = useRegistryServer();
const digest = digestOf("x");
const readOnly = { push: false, delete: false, users: null };
const basic = (text: string): { readonly authorization: string } => ({
  authorization: `Basic ${Buffer.from(text).toString("base64")}`,
});

const writes = [
  "POST /v2/app/blobs/uploads/",
  `POST /v2/app/blobs/uploads/?digest=${digest}`,
  `POST /v2/app/blobs/uploads/?mount=${digest}&from=other`,
  "PUT /v2/app/manifests/v1",
  "PATCH /v2/app/blobs/uploads/00000000000000000000000000000000",
  "DELETE /v2/app/manifests/v1",
  `DELETE /v2/app/blobs/${digest}`,
  "DELETE /v2/_catalog",
  "POST /v2/",
];
test("a registry that is read only refuses every other method", async () => {
  await served.serve({ rights: readOnly });
  for (const request of writes) {
    const { status, code } = await served.ask(request);
    expect([request, status, code]).toEqual([request, 405, "UNSUPPORTED"]);
  }
});

const refused = [
  ["GET /v2/../etc/manifests/v1", 400, "NAME_INVALID"],
  ["GET /v2/..%2f..%2fetc/manifests/v1", 400, "NAME_INVALID"],
  ["GET /v2/a/../../b/manifests/v1", 400, "NAME_INVALID"],
  ["GET /v2/a//b/manifests/v1", 400, "NAME_INVALID"],
  ["GET /v2/App/manifests/v1", 400, "NAME_INVALID"],
  ["GET /v2/a%00b/manifests/v1", 400, "NAME_INVALID"],
  ["GET /v2/%ff/manifests/v1", 400, "NAME_INVALID"],
  [`GET /v2/${"a".repeat(256)}/manifests/v1`, 400, "NAME_INVALID"],
  ["PUT /v2/.hidden/manifests/v1", 400, "NAME_INVALID"],
  ["GET /v2/a/manifests/..", 400, "TAG_INVALID"],
  ["GET /v2/a/manifests/-x", 400, "TAG_INVALID"],
  [`GET /v2/a/manifests/${"x".repeat(129)}`, 400, "TAG_INVALID"],
  ["GET /v2/a/manifests/sha256:12", 400, "DIGEST_INVALID"],
  ["GET /v2/a/blobs/sha256:../../../etc/passwd", 404, "UNSUPPORTED"],
  ["GET /v2/a/blobs/..%2f..%2fformat", 404, "UNSUPPORTED"],
  ["GET /v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", 400, "DIGEST_INVALID"],
  ["POST /v2/a/blobs/uploads/?digest=sha256:zz", 400, "DIGEST_INVALID"],
  ["POST /v2/a/blobs/uploads/?mount=sha256:zz&from=b", 400, "DIGEST_INVALID"],
  [`POST /v2/a/blobs/uploads/?mount=${digest}&from=../b`, 400, "NAME_INVALID"],
  ["PATCH /v2/a/blobs/uploads/..%2fx", 404, "UNSUPPORTED"],
  ["PATCH /v2/a/blobs/uploads/x", 404, "BLOB_UPLOAD_UNKNOWN"],
  ["GET /v2/_catalog?n=x", 400, "PAGINATION_NUMBER_INVALID"],
  ["GET /", 404, "UNSUPPORTED"],
  ["GET /v1/search", 404, "UNSUPPORTED"],
] as const;
test("names, digests and paths that are none are refused", async () => {
  await served.serve();
  for (const [request, status, code] of refused) {
    const answer = await served.ask(request);
    expect([request, answer.status, answer.code]).toEqual([request, status, code]);
  }
  expect(served.failures).toEqual([]);
});

test("lists come in pages", async () => {
  await served.serve();
  for (const tag of ["b", "a", "d", "c"]) await served.pushArtifact("app", tag);
  const page = async (query: string): Promise<readonly [readonly string[], string | undefined]> => {
    const { body, headers } = await served.ask(`GET /v2/app/tags/list${query}`);
    return [JSON.parse(body.toString()).tags, headers.link as string | undefined];
  };
  expect(await page("")).toEqual([["a", "b", "c", "d"], undefined]);
  expect(await page("?n=3")).toEqual([["a", "b", "c"], '</v2/app/tags/list?n=3&last=c>; rel="next"']);
  expect(await page("?n=3&last=c")).toEqual([["d"], undefined]);
  expect(await page("?n=0")).toEqual([[], undefined]);
  expect(await page("?last=b")).toEqual([["c", "d"], undefined]);
});

describe("deleting", () => {
  test("a tag leaves its manifest; a manifest goes with its tags", async () => {
    await served.serve();
    const pushed = await served.pushArtifact("app", "v1");
    expect(await served.ask("DELETE /v2/app/manifests/v1")).toMatchObject({ status: 202 });
    expect(await served.ask("GET /v2/app/manifests/v1")).toMatchObject({ status: 404 });
    expect(await served.ask(`GET /v2/app/manifests/${pushed}`)).toMatchObject({ status: 200 });
    await served.pushArtifact("app", "v1");
    expect(await served.ask(`DELETE /v2/app/manifests/${pushed}`)).toMatchObject({ status: 202 });
    expect(await served.ask("GET /v2/app/manifests/v1")).toMatchObject({ status: 404, code: "MANIFEST_UNKNOWN" });
    expect(await served.ask("DELETE /v2/app/manifests/v1")).toMatchObject({ status: 404, code: "MANIFEST_UNKNOWN" });
  });

  test("a blob stays for as long as a manifest names it", async () => {
    await served.serve();
    const pushed = await served.pushArtifact("app", "v1");
    const blob = digestOf("{}");
    expect(await served.ask(`DELETE /v2/app/blobs/${blob}`)).toMatchObject({ status: 405, code: "DENIED" });
    await served.ask(`DELETE /v2/app/manifests/${pushed}`);
    expect(await served.ask(`DELETE /v2/app/blobs/${blob}`)).toMatchObject({ status: 202 });
    expect(await served.ask(`GET /v2/app/blobs/${blob}`)).toMatchObject({ status: 404 });
    expect(await served.ask(`DELETE /v2/app/blobs/${blob}`)).toMatchObject({ status: 404, code: "BLOB_UNKNOWN" });
  });
});

describe("users", () => {
  const users = parseHtpasswd(`ann:${bcrypt.hashSync("secret", 4)}\n`, "users");

  test("everything asks for a user, in the way clients understand", async () => {
    await served.serve({ rights: { ...everything, users } });
    for (const request of ["GET /v2/", "GET /v2/_catalog", "PUT /v2/app/manifests/v1", "GET /nowhere"]) {
      const answer = await served.ask(request);
      expect(answer).toMatchObject({ status: 401, code: "UNAUTHORIZED" });
      expect(answer.headers["www-authenticate"]).toMatch(/^Basic realm=/);
    }
  });

  test("who is let in, also the second time", async () => {
    await served.serve({ rights: { ...everything, users } });
    const tried = [
      ["ann:secret", 200],
      ["ann:wrong", 401],
      ["ann:", 401],
      ["bob:secret", 401],
      [":secret", 401],
      ["annsecret", 401],
    ] as const;
    for (const [credentials, status] of [...tried, ...tried]) {
      const answer = await served.ask("GET /v2/", { headers: basic(credentials) });
      expect([credentials, answer.status]).toEqual([credentials, status]);
    }
  });

  test.each([
    ["", "has no users"],
    ["ann", "line 1"],
    ["# users\nann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "line 2"],
    ["ann:$apr1$x$y", "bcrypt"],
    [`ann:$2y$31$${"a".repeat(53)}`, "cost 31"],
  ])("a file %j is refused", (text, problem) => {
    const error = thrownBy(() => parseHtpasswd(text, "users"));
    expect(error).toMatchObject({ code: "CONFIG_INVALID" });
    expect(error.message).toContain(problem);
  });
});

test("a request that a web page may have sent is not answered", async () => {
  await served.serve();
  const asked = [
    [{ host: "evil.example" }, 403],
    [{ host: "evil.example:5000" }, 403],
    [{ host: "localhost:5000" }, 200],
    [{ host: "[::1]:5000" }, 200],
    [{ host: "192.0.2.1" }, 200],
    [{ origin: "http://evil.example" }, 403],
  ] as const;
  for (const [headers, status] of asked)
    expect([headers, (await served.ask("GET /v2/", { headers })).status]).toEqual([headers, status]);
});

test.each([
  ["nothing of a body that it announces", "POST /v2/app/blobs/uploads/?digest=%s HTTP/1.1\r\ncontent-length: 9\r\n"],
  ["nothing of a manifest", "PUT /v2/app/manifests/v1 HTTP/1.1\r\ncontent-length: 9\r\n"],
])("a client that sends %s is given up", async (_what, head) => {
  await served.serve({ idleMs: 50 });
  const [hostname = "", port] = served.host.split(":");
  const socket = net.connect(Number(port), hostname);
  socket.write(`${head.replace("%s", digest)}host: ${served.host}\r\n\r\n`);
  await once(socket.resume(), "close");
  expect(await served.ask("GET /v2/")).toMatchObject({ status: 200 });
});

test("over HTTPS it shows its certificate; a key that is not that of the certificate is refused", async () => {
  const pem = (name: string): string => readFileSync(new URL(`../../../fixtures/tls/${name}`, import.meta.url), "utf8");
  const { url } = await served.serve({ tls: { cert: pem("server.crt"), key: pem("server.key") } });
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    https.get(`${url}/v2/`, { ca: pem("ca.crt"), agent: false }, resolve).on("error", reject);
  });
  answer.resume();
  expect([url.startsWith("https://"), answer.statusCode]).toEqual([true, 200]);
  const wrong = served.serve({ tls: { cert: pem("server.crt"), key: pem("client.key") } });
  expect(await rejectionOf(wrong)).toMatchObject({ code: "CONFIG_INVALID" });
});

test("an address where somebody listens already is an error that says so", async () => {
  const { url } = await served.serve();
  const again = served.serve({ port: Number(new URL(url).port) });
  expect(await rejectionOf(again)).toMatchObject({ code: "USAGE_INVALID" });
});
