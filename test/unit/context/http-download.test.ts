import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import { BuildError } from "../../../src/base/errors.ts";
import { type DownloadRequest, download } from "../../../src/context/http-download.ts";
import { type RetryPolicy, withRetries } from "../../../src/context/retry.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
interface Web {
  readonly url: string;
  readonly requests: IncomingMessage[];
  handle: Handler;
  readonly server: Server;
}

const area = useTemporaryDirectory();
const atOnce: RetryPolicy = { attempts: 3, delayMs: () => 0 };
const never = new AbortController().signal;
const webs: Web[] = [];

async function serve(handle: Handler): Promise<Web> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    web.handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const web: Web = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, handle, server };
  webs.push(web);
  return web;
}

let web: Web;
beforeEach(async () => {
  web = await serve((_, response) => response.end("content"));
});
afterEach(() => {
  for (const { server } of webs.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

const requestFor = (url: string, changes: Partial<DownloadRequest> = {}): DownloadRequest => ({
  url,
  file: join(area.path, "file"),
  maximumBytes: 1 << 20,
  authorization: null,
  known: null,
  ...changes,
});

describe("download", () => {
  test("writes the content and says what it is", async () => {
    web.handle = (_, response) => {
      response.setHeader("etag", '"1"').setHeader("last-modified", "Sat, 03 Feb 2001 04:05:06 GMT").end("content");
    };
    expect(await download(requestFor(`${web.url}/f?q#x`), never, atOnce)).toEqual({
      digest: digestOf("content"),
      sizeBytes: 7,
      validators: { etag: '"1"', lastModified: "Sat, 03 Feb 2001 04:05:06 GMT" },
      modifiedAtSeconds: 981_173_106,
    });
    expect(readFileSync(join(area.path, "file"), "utf8")).toBe("content");
  });

  test("an empty content, and a nonsensical date", async () => {
    web.handle = (_, response) => response.setHeader("last-modified", "yesterday").end();
    expect(await download(requestFor(web.url), never, atOnce)).toMatchObject({ sizeBytes: 0, modifiedAtSeconds: null });
  });

  test("a file that is compressed comes as it is", async () => {
    const bytes = gzipSync("content");
    web.handle = (_, response) => response.end(bytes);
    expect(await download(requestFor(`${web.url}/f.gz`), never, atOnce)).toMatchObject({ digest: digestOf(bytes) });
    expect(web.requests[0]?.headers["accept-encoding"]).toBe("identity");
  });

  test("what is known and unchanged is not sent again", async () => {
    web.handle = (request, response) =>
      request.headers["if-none-match"] === '"1"' ? response.writeHead(304).end() : response.end("new");
    const known = { etag: '"1"', lastModified: null };
    expect(await download(requestFor(web.url, { known }), never, atOnce)).toBeNull();
    const other = { etag: '"0"', lastModified: null };
    expect(await download(requestFor(web.url, { known: other }), never, atOnce)).toMatchObject({ sizeBytes: 3 });
  });

  test("a new content with the same ETag is taken when it is sent", async () => {
    web.handle = (_, response) => response.setHeader("etag", '"1"').end("new");
    const known = { etag: '"1"', lastModified: null };
    expect(await download(requestFor(web.url, { known }), never, atOnce)).toMatchObject({ digest: digestOf("new") });
  });

  test("more than is allowed is refused", async () => {
    web.handle = (_, response) => response.end("x".repeat(2_000));
    const error = await rejectionOf(download(requestFor(web.url, { maximumBytes: 1_000 }), never, atOnce));
    expect(error.code).toBe("SOURCE_INVALID");
  });

  test("a stream without end is refused at the limit", async () => {
    web.handle = (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 16)));
      };
      response.on("drain", more);
      more();
    };
    expect((await rejectionOf(download(requestFor(web.url), never, atOnce))).code).toBe("SOURCE_INVALID");
  });

  test.each([
    [404, "SOURCE_NOT_FOUND", 1],
    [410, "SOURCE_NOT_FOUND", 1],
    [401, "SOURCE_UNAUTHORIZED", 1],
    [403, "SOURCE_UNAUTHORIZED", 1],
    [418, "SOURCE_INVALID", 1],
    [304, "SOURCE_INVALID", 1],
    [429, "SOURCE_RATE_LIMITED", 3],
    [500, "SOURCE_UNAVAILABLE", 3],
    [503, "SOURCE_UNAVAILABLE", 3],
  ])("%i is %s after %i requests", async (status, code, requests) => {
    web.handle = (_, response) => response.writeHead(status).end();
    expect((await rejectionOf(download(requestFor(web.url), never, atOnce))).code).toBe(code);
    expect(web.requests).toHaveLength(requests);
  });

  test.each<[string, Handler]>([
    ["an answer of 503", (_, response) => response.writeHead(503, { "retry-after": "0" }).end()],
    ["a closed connection", (request) => request.socket.destroy()],
    [
      "half a content",
      (_, response) => {
        response.writeHead(200, { "content-length": "100" }).write("half");
        setImmediate(() => response.destroy());
      },
    ],
  ])("is tried again after %s", async (_, failure) => {
    web.handle = (request, response) => {
      if (web.requests.length < 3) failure(request, response);
      else response.end("content");
    };
    expect(await download(requestFor(web.url), never, atOnce)).toMatchObject({ digest: digestOf("content") });
    expect(readFileSync(join(area.path, "file"), "utf8")).toBe("content");
  });

  test("nobody listens", async () => {
    const { url } = web;
    await new Promise((resolve) => web.server.close(resolve));
    expect((await rejectionOf(download(requestFor(url), never, atOnce))).code).toBe("SOURCE_UNAVAILABLE");
  });

  test("an abort ends it", async () => {
    const controller = new AbortController();
    web.handle = (_, response) => {
      response.write("beginning");
      controller.abort();
    };
    const error = await rejectionOf(download(requestFor(web.url), controller.signal, atOnce));
    expect(error.code).toBe("BUILD_CANCELLED");
    expect(web.requests).toHaveLength(1);
  });

  test.each(["file:///etc/passwd", "ftp://h/x", "data:,x", "x", "http://"])("%s is not downloaded", async (url) => {
    expect((await rejectionOf(download(requestFor(url), never, atOnce))).code).toBe("SOURCE_INVALID");
  });
});

describe("redirects", () => {
  test("are followed, ten at most", async () => {
    web.handle = (request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end("content");
      else response.writeHead(302, { location: `/${left - 1}` }).end();
    };
    expect(await download(requestFor(`${web.url}/10`), never, atOnce)).toMatchObject({ sizeBytes: 7 });
    expect((await rejectionOf(download(requestFor(`${web.url}/11`), never, atOnce))).code).toBe("SOURCE_INVALID");
  });

  test.each(["file:///etc/passwd", "ftp://h/x", "data:text/plain,token", "http://[", "javascript:1"])(
    "to %s are refused",
    async (location) => {
      web.handle = (_, response) => response.writeHead(302, { location }).end();
      const error = await rejectionOf(download(requestFor(web.url), never, atOnce));
      expect(error).toMatchObject({ code: "SOURCE_INVALID", message: expect.stringContaining("redirect to") });
    },
  );

  test("take no credentials to another server, but to the same one", async () => {
    const other = await serve((_, response) => response.end("content"));
    web.handle = (request, response) => {
      if (request.url === "/1") response.writeHead(307, { location: "/2" }).end();
      else response.writeHead(307, { location: `${other.url.replace("http://", "http://a:b@")}/3` }).end();
    };
    await download(requestFor(`${web.url}/1`, { authorization: "Bearer token" }), never, atOnce);
    expect(web.requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer token", "Bearer token"]);
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });
});

describe("credentials in the URL", () => {
  const withPassword = (): string => web.url.replace("http://", "http://us%20er:hunter2%2F@");

  test("become a header", async () => {
    await download(requestFor(withPassword()), never, atOnce);
    expect(web.requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from("us er:hunter2/").toString("base64")}`);
  });

  test.each<[string, Handler]>([
    ["a refusal", (_, response) => response.writeHead(403).end()],
    ["a closed connection", (request) => request.socket.destroy()],
    [
      "a redirect",
      (request, response) => response.writeHead(302, { location: `ftp://x:hunter2@${request.headers.host}/` }).end(),
    ],
  ])("are in no message about %s", async (_, handle) => {
    web.handle = handle;
    const error = await rejectionOf(download(requestFor(withPassword()), never, atOnce));
    expect(JSON.stringify([error.message, error.details, error.hint])).not.toContain("hunter2");
  });
});

describe("withRetries", () => {
  test("waits as long as a server asks for, not longer than a minute, and can be cancelled meanwhile", async () => {
    web.handle = (_, response) => response.writeHead(429, { "retry-after": "100000" }).end();
    const controller = new AbortController();
    const running = download(requestFor(web.url), controller.signal, atOnce);
    while (web.requests.length === 0) await new Promise(setImmediate);
    await new Promise(setImmediate);
    controller.abort();
    expect((await rejectionOf(running)).code).toBe("BUILD_CANCELLED");
    expect(web.requests).toHaveLength(1);
  });

  test("repeats no more than an error says is worth it", async () => {
    const refused = new BuildError("SOURCE_UNAVAILABLE", "refused", { details: { attempts: 2 } });
    let attempts = 0;
    const work = async (): Promise<never> => {
      attempts += 1;
      throw refused;
    };
    await expect(withRetries(work, { attempts: 5, delayMs: () => 1 }, new AbortController().signal)).rejects.toBe(
      refused,
    );
    expect(attempts).toBe(2);
  });

  test("does not repeat what fails for good", async () => {
    let runs = 0;
    const work = (): Promise<never> => {
      runs += 1;
      return Promise.reject(new Error("bug"));
    };
    await expect(withRetries(work, atOnce, never)).rejects.toThrow("bug");
    expect(runs).toBe(1);
  });
});
