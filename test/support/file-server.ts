import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach } from "vitest";

export interface ServedFile {
  readonly content: string | Buffer;
  /** As an HTTP date. */
  readonly lastModified?: string;
  /** Whether the server tells a digest of the content as ETag. */
  readonly etag?: boolean;
}

export interface FileServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** What is served, by path with its "/". */
  readonly files: Map<string, ServedFile>;
  /** `GET /path 200`, in order. */
  readonly requests: string[];
}

/** A web server on the loopback for each test of the file that calls this. */
export function useFileServer(): FileServer {
  const files = new Map<string, ServedFile>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? "");
    const etag = file?.etag === true ? `"${createHash("sha256").update(file.content).digest("hex")}"` : undefined;
    if (etag !== undefined) response.setHeader("etag", etag);
    if (file?.lastModified !== undefined) response.setHeader("last-modified", file.lastModified);
    const isKnown = etag !== undefined && request.headers["if-none-match"] === etag;
    const status = file === undefined ? 404 : isKnown ? 304 : 200;
    requests.push(`${request.method} ${request.url} ${status}`);
    response.writeHead(status).end(status === 200 ? file?.content : undefined);
  });
  let url = "";
  beforeEach(async () => {
    files.clear();
    requests.length = 0;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    get url() {
      return url;
    },
    files,
    requests,
  };
}
