import http from "node:http";
import type { AddressInfo } from "node:net";
import { digestOf } from "../../src/base/digest.ts";
import type { Descriptor } from "../../src/image/descriptor.ts";
import { mediaTypes } from "../../src/image/media-types.ts";

export interface RecordedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly bytes: Buffer;
}

/** Who may read. The token server of "bearer" is `/token` of the registry itself unless `realm` names another one. */
export type RegistryAuth =
  | { readonly kind: "none" }
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  | {
      readonly kind: "bearer";
      readonly user: { readonly name: string; readonly password: string } | null;
      readonly realm?: string;
      readonly identityToken?: string;
    };

/** Answers a request instead of the registry; `answer` is what the registry would have done. */
export type Fault = (request: RecordedRequest, response: http.ServerResponse, answer: () => void) => void;

/** What an image is made of; members not given are those of a small, right image. */
export interface TestImage {
  readonly layers?: readonly Buffer[];
  /** Merged over a right config. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Merged over a right manifest. */
  readonly manifest?: Readonly<Record<string, unknown>>;
}

export interface AddedImage {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** A registry on 127.0.0.1 that answers by the distribution specification, records what it was asked, and fails on command. */
export class TestRegistry {
  readonly requests: RecordedRequest[] = [];
  readonly #server: http.Server;
  readonly #auth: RegistryAuth;
  readonly #blobs = new Map<string, Buffer>();
  readonly #manifests = new Map<string, { readonly bytes: Buffer; readonly mediaType: string }>();
  /** Pieces of each upload by its number. */
  readonly #uploads = new Map<string, Buffer[]>();
  readonly #cuts: { readonly pattern: RegExp; readonly afterBytes: number; readonly keeps: boolean; left: number }[] =
    [];
  readonly #tokens = new Set<string>();
  readonly #faults: { readonly pattern: RegExp; readonly fault: Fault; left: number }[] = [];

  private constructor(auth: RegistryAuth) {
    this.#auth = auth;
    this.#server = http.createServer((request, response) => {
      const chunks: Buffer[] = [];
      let received = 0;
      request.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        received += chunk.length;
        const cut = this.#cuts.find(({ pattern, left }) => left > 0 && pattern.test(request.method ?? ""));
        if (cut === undefined || received < cut.afterBytes) return;
        cut.left -= 1;
        this.requests.push({ ...pick(request), body: "", bytes: Buffer.alloc(0) });
        if (cut.keeps) this.#sessionOf(request.url ?? "")?.push(Buffer.concat(chunks));
        request.destroy();
      });
      request.on("end", () => {
        const bytes = Buffer.concat(chunks);
        this.#receive({ ...pick(request), body: bytes.toString("utf8"), bytes }, response);
      });
    });
  }

  static async start(auth: RegistryAuth = { kind: "none" }): Promise<TestRegistry> {
    const registry = new TestRegistry(auth);
    await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  /** `127.0.0.1:40123`, as a reference names it. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Paths asked for, in order, with their methods. */
  get log(): readonly string[] {
    return this.requests.map(({ method, url }) => `${method} ${url}`);
  }

  addBlob(content: Buffer | string, mediaType: string = mediaTypes.ociLayer): Descriptor {
    const bytes = Buffer.from(content);
    const digest = digestOf(bytes);
    this.#blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  addManifest(content: Buffer | string | object, mediaType: string, tag: string | null): Descriptor {
    const text = typeof content === "object" && !Buffer.isBuffer(content) ? JSON.stringify(content) : content;
    const bytes = Buffer.from(text);
    const digest = digestOf(bytes);
    for (const name of tag === null ? [digest] : [digest, tag]) this.#manifests.set(name, { bytes, mediaType });
    return { mediaType, digest, size: bytes.length };
  }

  addImage(tag: string | null, image: TestImage = {}): AddedImage {
    const contents = image.layers ?? [Buffer.from("layer one"), Buffer.from("layer two")];
    const layers = contents.map((bytes) => this.addBlob(bytes));
    const right = {
      architecture: "amd64",
      os: "linux",
      config: { Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.digest) },
    };
    const config = this.addBlob(JSON.stringify({ ...right, ...image.config }), mediaTypes.ociConfig);
    const mediaType = mediaTypes.ociManifest;
    const manifest = { schemaVersion: 2, mediaType, config, layers, ...image.manifest };
    return { manifest: this.addManifest(manifest, mediaType, tag), config, layers };
  }

  addIndex(tag: string | null, manifests: readonly object[]): Descriptor {
    return this.addManifest({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, mediaTypes.ociIndex, tag);
  }

  /** Lets `fault` answer requests (`GET /v2/…`) that match, `times` times. */
  fail(pattern: RegExp, fault: Fault, times = Number.POSITIVE_INFINITY): void {
    this.#faults.push({ pattern, fault, left: times });
  }

  /** Cuts the connection of requests of a method after so many bytes of their body; `keeps` them, or has got nothing. */
  cutUploads(pattern: RegExp, afterBytes: number, keeps: boolean, times = 1): void {
    this.#cuts.push({ pattern, afterBytes, keeps, left: times });
  }

  /** The tokens given out so far are worth nothing any more. */
  expireTokens(): void {
    this.#tokens.clear();
  }

  /** What was put there under a tag or a digest; null when nothing was. */
  manifest(name: string): Buffer | null {
    return this.#manifests.get(name)?.bytes ?? null;
  }

  blob(digest: string): Buffer | null {
    return this.#blobs.get(digest) ?? null;
  }

  removeBlob(digest: string): void {
    this.#blobs.delete(digest);
  }

  #receive(request: RecordedRequest, response: http.ServerResponse): void {
    this.requests.push(request);
    const fault = this.#faults.find(
      ({ pattern, left }) => left > 0 && pattern.test(`${request.method} ${request.url}`),
    );
    if (fault === undefined) {
      this.#answer(request, response);
    } else {
      fault.left -= 1;
      fault.fault(request, response, () => this.#answer(request, response));
    }
  }

  #answer(request: RecordedRequest, response: http.ServerResponse): http.ServerResponse {
    const path = request.url.split("?")[0] ?? "";
    if (path === "/token") return this.#issueToken(request, response);
    if (!this.#mayRead(request)) return this.#challenge(response);
    const upload = /^\/v2\/([a-z0-9/._-]+)\/blobs\/uploads\/([0-9]*)$/.exec(path);
    if (upload !== null) return this.#answerUpload(request, response, upload[1] ?? "", upload[2] ?? "");
    const [, , kind, name = ""] = /^\/v2\/([a-z0-9/._-]+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
    if (kind === "manifests" && request.method === "PUT") return this.#storeManifest(request, response, name);
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405, "UNSUPPORTED");
    if (kind === "manifests") return this.#answerManifest(request, response, name);
    if (kind === "blobs") return this.#answerBlob(request, response, name);
    return refuse(response, 404, "NAME_UNKNOWN");
  }

  #sessionOf(url: string): Buffer[] | undefined {
    return this.#uploads.get(/\/blobs\/uploads\/([0-9]+)/.exec(url)?.[1] ?? "");
  }

  #answerUpload(
    request: RecordedRequest,
    response: http.ServerResponse,
    repository: string,
    id: string,
  ): http.ServerResponse {
    const query = new URL(request.url, `http://${this.host}`).searchParams;
    const session = id === "" ? undefined : this.#uploads.get(id);
    if (request.method === "POST") {
      const mounted = query.get("mount") ?? "";
      if (this.#blobs.has(mounted)) return send(response, 201, none, { "docker-content-digest": mounted });
      const number = String(this.#uploads.size + 1);
      this.#uploads.set(number, []);
      return send(response, 202, none, { location: `/v2/${repository}/blobs/uploads/${number}?_state=a%3D%2Bb` });
    }
    if (session === undefined) return refuse(response, 404, "BLOB_UPLOAD_UNKNOWN");
    if (query.get("_state") !== "a=+b") return refuse(response, 400, "BLOB_UPLOAD_INVALID");
    const before = Buffer.concat(session);
    const start = /^([0-9]+)-/.exec(String(request.headers["content-range"] ?? ""))?.[1];
    if (start !== undefined && Number(start) !== before.length) return refuse(response, 416, "RANGE_INVALID");
    if (request.method !== "GET") session.push(request.bytes);
    const bytes = Buffer.concat(session);
    if (request.method !== "PUT") {
      const headers = { location: request.url, range: `0-${Math.max(0, bytes.length - 1)}` };
      return send(response, request.method === "GET" ? 204 : 202, none, headers);
    }
    this.#uploads.delete(id);
    if (digestOf(bytes) !== query.get("digest")) return refuse(response, 400, "DIGEST_INVALID");
    this.addBlob(bytes);
    return send(response, 201, none, { "docker-content-digest": digestOf(bytes) });
  }

  #storeManifest(request: RecordedRequest, response: http.ServerResponse, name: string): http.ServerResponse {
    const manifest = JSON.parse(request.body);
    const parts: { digest: string }[] = manifest.manifests ?? [manifest.config, ...manifest.layers];
    const isMissing = ({ digest }: { digest: string }) => !this.#blobs.has(digest) && !this.#manifests.has(digest);
    if (parts.some(isMissing)) return refuse(response, 400, "MANIFEST_BLOB_UNKNOWN");
    const { digest } = this.addManifest(request.bytes, request.headers["content-type"] ?? "", name);
    return send(response, 201, none, { "docker-content-digest": digest });
  }

  #answerManifest(request: RecordedRequest, response: http.ServerResponse, name: string): http.ServerResponse {
    const manifest = this.#manifests.get(name);
    if (manifest === undefined) return refuse(response, 404, "MANIFEST_UNKNOWN");
    const { bytes, mediaType } = manifest;
    const accept = request.headers.accept ?? "";
    if (!accept.includes(mediaTypes.ociIndex) && !accept.includes(mediaType))
      return refuse(response, 406, "UNSUPPORTED");
    return send(response, 200, bytes, { "content-type": mediaType, "docker-content-digest": digestOf(bytes) });
  }

  #answerBlob(request: RecordedRequest, response: http.ServerResponse, name: string): http.ServerResponse {
    const bytes = this.#blobs.get(name);
    if (bytes === undefined) return refuse(response, 404, "BLOB_UNKNOWN");
    const start = /^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1];
    if (start === undefined) return send(response, 200, bytes, { "content-type": "application/octet-stream" });
    if (Number(start) >= bytes.length) return refuse(response, 416, "RANGE_INVALID");
    const range = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    return send(response, 206, bytes.subarray(Number(start)), { "content-range": range });
  }

  #mayRead({ headers }: RecordedRequest): boolean {
    const authorization = headers.authorization ?? "";
    if (this.#auth.kind === "none") return authorization === "";
    if (this.#auth.kind === "basic") return authorization === basic(this.#auth.username, this.#auth.password);
    return this.#tokens.has(authorization.replace(/^Bearer /, ""));
  }

  #challenge(response: http.ServerResponse): http.ServerResponse {
    const realm = this.#auth.kind === "bearer" ? (this.#auth.realm ?? `http://${this.host}/token`) : "";
    const value = this.#auth.kind === "bearer" ? `Bearer realm="${realm}",service="test"` : 'Basic realm="test"';
    return send(response, 401, Buffer.from('{"errors":[{"code":"UNAUTHORIZED"}]}'), { "www-authenticate": value });
  }

  #issueToken(request: RecordedRequest, response: http.ServerResponse): http.ServerResponse {
    if (this.#auth.kind !== "bearer") return refuse(response, 404, "NAME_UNKNOWN");
    const { user, identityToken } = this.#auth;
    const isKnown =
      request.method === "POST"
        ? identityToken !== undefined && new URLSearchParams(request.body).get("refresh_token") === identityToken
        : user === null || request.headers.authorization === basic(user.name, user.password);
    if (!isKnown) return refuse(response, 401, "UNAUTHORIZED");
    const token = `token-${this.#tokens.size + 1}`;
    this.#tokens.add(token);
    return send(response, 200, Buffer.from(JSON.stringify({ token, expires_in: 300 })), {
      "content-type": "application/json",
    });
  }
}

const pick = (request: http.IncomingMessage): Omit<RecordedRequest, "body" | "bytes"> => ({
  method: request.method ?? "",
  url: request.url ?? "",
  headers: request.headers,
});

const none = Buffer.alloc(0);

const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}`;

function send(
  response: http.ServerResponse,
  status: number,
  body: Buffer,
  headers: http.OutgoingHttpHeaders,
): http.ServerResponse {
  response.writeHead(status, { "content-length": body.length, ...headers });
  return response.end(body);
}

function refuse(response: http.ServerResponse, status: number, code: string): http.ServerResponse {
  return send(response, status, Buffer.from(JSON.stringify({ errors: [{ code, message: "secret prose" }] })), {});
}

/** Faults that more than one test needs. */
export const faults = {
  status:
    (status: number, headers: http.OutgoingHttpHeaders = {}): Fault =>
    (_request, response) => {
      response.writeHead(status, headers).end();
    },
  body:
    (body: Buffer | string, headers: http.OutgoingHttpHeaders = {}): Fault =>
    (_request, response) => {
      response.writeHead(200, headers).end(body);
    },
  /** Cuts the connection without an answer. */
  reset: (): Fault => (_request, response) => {
    response.destroy();
  },
  /** Announces the whole blob from where it was asked, sends `count` bytes, and cuts the connection. */
  resetAfter:
    (blob: Buffer, count: number): Fault =>
    (request, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      const range = { "content-range": `bytes ${start}-${blob.length - 1}/${blob.length}` };
      response.writeHead(start === 0 ? 200 : 206, {
        "content-length": blob.length - start,
        ...(start === 0 ? {} : range),
      });
      response.write(blob.subarray(start, start + count), () => response.destroy());
    },
  /** Never stops sending. */
  endless:
    (headers: http.OutgoingHttpHeaders = {}, status = 200): Fault =>
    (_request, response) => {
      response.writeHead(status, headers);
      const chunk = Buffer.alloc(64 * 1024, " ");
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    },
  redirect:
    (location: string, status = 307): Fault =>
    (_request, response) => {
      response.writeHead(status, { location }).end();
    },
} as const;
