import { BuildError, isBuildError } from "../base/errors.ts";
import { parseReference } from "../image/reference.ts";
import type { Endpoint } from "./endpoint.ts";
import { progressBytes, uploadPieceBytes } from "./limits.ts";
import type { PushBlob } from "./push-content.ts";
import type { RegistryAnswer, RegistryExchange, RegistryRequest } from "./registry-exchange.ts";
import { pauseBeforeRetry, type RetryPolicy, TransientFailure, withRetries } from "./retry.ts";
import { bytesReceived, completionUrl, sessionAfter, type UploadSession } from "./upload-session.ts";

/** How a blob came to be in the repository. */
export type BlobArrival = "was there" | "mounted" | "uploaded";

/** Told how many bytes of the blob are on their way. */
export type OnSent = (doneBytes: number) => void;

/** Brings one blob into one repository. */
export class BlobUpload {
  readonly #exchange: RegistryExchange;
  readonly #endpoint: Endpoint;
  readonly #blob: PushBlob;
  readonly #retry: RetryPolicy;
  readonly #onSent: OnSent;
  readonly #signal: AbortSignal;
  readonly #subject: string;

  constructor(
    exchange: RegistryExchange,
    endpoint: Endpoint,
    blob: PushBlob,
    retry: RetryPolicy,
    onSent: OnSent,
    signal: AbortSignal,
  ) {
    this.#exchange = exchange;
    this.#endpoint = endpoint;
    this.#blob = blob;
    this.#retry = retry;
    this.#onSent = onSent;
    this.#signal = signal;
    this.#subject = `blob ${blob.descriptor.digest} of ${endpoint.registry}/${endpoint.repository}`;
  }

  /**
   * Resolves when the registry has said, asked for it, that it has the blob. Throws SOURCE_*, and BLOB_DIGEST_MISMATCH
   * when what is to be sent is broken.
   */
  async run(): Promise<BlobArrival> {
    if (await withRetries(this.#retry, this.#signal, () => this.#isThere())) return "was there";
    const mounted = await this.#mount();
    if (mounted !== "mounted") await this.#upload(mounted);
    await withRetries(this.#retry, this.#signal, () => this.#confirm());
    return mounted === "mounted" ? "mounted" : "uploaded";
  }

  async #isThere(): Promise<boolean> {
    try {
      const { response } = await this.#send({ method: "HEAD", path: `blobs/${this.#blob.descriptor.digest}` });
      response.discard();
      const size = response.status === 200 ? response.header("content-length") : null;
      return size === null || Number(size) === this.#blob.descriptor.size;
    } catch (error) {
      if (isBuildError(error, "SOURCE_NOT_FOUND")) return false;
      throw error;
    }
  }

  /** Registries that spread a blob over several machines may need a moment. */
  async #confirm(): Promise<void> {
    if (await this.#isThere()) return;
    const problem = `${this.#subject}: registry ${this.#endpoint.origin.host} took it, but does not have it`;
    throw new TransientFailure(new BuildError("SOURCE_INVALID", problem));
  }

  /** Has the blob taken over from another repository of the registry; otherwise an upload may have been begun instead. */
  async #mount(): Promise<"mounted" | UploadSession | null> {
    const source = this.#blob.origins.map(parseReference).find((origin) => {
      return origin.registry === this.#endpoint.registry && origin.repository !== this.#endpoint.repository;
    });
    if (source === undefined) return null;
    const query = `mount=${encodeURIComponent(this.#blob.descriptor.digest)}&from=${encodeURIComponent(source.repository)}`;
    try {
      const path = `blobs/uploads/?${query}`;
      const answer = await this.#send({ method: "POST", path, alsoReads: source.repository });
      answer.response.discard();
      if (answer.response.status === 201) return "mounted";
      return answer.response.status === 202 ? sessionAfter(answer, this.#endpoint.origin, null, 0) : null;
    } catch (error) {
      // That it cannot be mounted, or not by this user, is no reason not to upload it.
      if (error instanceof TransientFailure) return null;
      if (isBuildError(error) && ["SOURCE_UNAUTHORIZED", "SOURCE_NOT_FOUND"].includes(error.code)) return null;
      if (isBuildError(error) && statusOf(error) !== null) return null;
      throw error;
    }
  }

  /** Sends all of it in one request first, which every registry understands; what broke is continued in pieces. */
  async #upload(begun: UploadSession | null): Promise<void> {
    let session = begun;
    let furthest = 0;
    let isFirst = true;
    for (let next = 1; ; next += 1) {
      try {
        if (!isFirst) {
          if (await this.#isThere()) return;
          session = session === null ? null : await this.#resumed(session);
        }
        session ??= await this.#begin();
        if (session.offset >= furthest + progressBytes) {
          furthest = session.offset;
          next = 1;
        }
        if (isFirst) {
          await this.#complete(session, this.#blob.descriptor.size);
          return;
        }
        while (session.offset < this.#blob.descriptor.size) session = await this.#sendPiece(session);
        await this.#complete(session, 0);
        return;
      } catch (failure) {
        await pauseBeforeRetry(await this.#asTransient(failure, session !== null), next, this.#retry, this.#signal);
        isFirst = false;
      }
    }
  }

  async #begin(): Promise<UploadSession> {
    const answer = await this.#send({ method: "POST", path: "blobs/uploads/" });
    answer.response.discard();
    this.#expect(answer, 202, "begin an upload");
    return sessionAfter(answer, this.#endpoint.origin, null, 0);
  }

  /** How far the registry says it is; null when it no longer knows of the upload. */
  async #resumed(session: UploadSession): Promise<UploadSession | null> {
    try {
      const answer = await this.#send({ method: "GET", path: session.url });
      answer.response.discard();
      const offset = bytesReceived(answer.response.header("range"));
      if (offset === null || offset > this.#blob.descriptor.size) return null;
      return sessionAfter(answer, this.#endpoint.origin, session, offset);
    } catch (error) {
      if (isBuildError(error) && statusOf(error) !== null) return null;
      throw error;
    }
  }

  async #sendPiece(session: UploadSession): Promise<UploadSession> {
    const start = session.offset;
    const end = Math.min(start + Math.max(uploadPieceBytes, session.smallestPiece), this.#blob.descriptor.size);
    const answer = await this.#send({
      method: "PATCH",
      path: session.url,
      headers: {
        "content-type": "application/octet-stream",
        "content-range": `${start}-${end - 1}`,
        "content-length": String(end - start),
      },
      body: () => this.#bytes(start, end),
    });
    answer.response.discard();
    this.#expect(answer, 202, "take a piece");
    const offset = bytesReceived(answer.response.header("range")) ?? end;
    if (offset <= start || offset > end) {
      const problem = `${this.#subject}: registry ${answer.url.host} says it has ${offset} bytes, want ${end}`;
      throw new TransientFailure(new BuildError("SOURCE_INVALID", problem));
    }
    return sessionAfter(answer, this.#endpoint.origin, session, offset);
  }

  /** Ends the upload with the last `size` bytes of the blob. */
  async #complete(session: UploadSession, size: number): Promise<void> {
    const { digest, size: total } = this.#blob.descriptor;
    const answer = await this.#send({
      method: "PUT",
      path: completionUrl(session.url, digest),
      headers: { "content-type": "application/octet-stream", "content-length": String(size) },
      body: () => (size === 0 ? new Uint8Array(0) : this.#bytes(total - size, total)),
    });
    answer.response.discard();
    this.#expect(answer, 201, "complete an upload");
    const stored = answer.response.header("docker-content-digest");
    if (stored?.startsWith("sha256:") && stored !== digest) {
      throw new BuildError("SOURCE_INVALID", `${this.#subject}: registry ${answer.url.host} stored it as ${stored}`);
    }
  }

  async *#bytes(start: number, end: number): AsyncGenerator<Uint8Array> {
    let doneBytes = start;
    for await (const chunk of this.#blob.open(start, end)) {
      yield chunk;
      doneBytes += chunk.length;
      this.#onSent(doneBytes);
    }
  }

  /** What an upload may survive; throws what it may not. */
  async #asTransient(failure: unknown, hasBegun: boolean): Promise<TransientFailure> {
    if (failure instanceof TransientFailure) return failure;
    const status = isBuildError(failure) ? statusOf(failure) : null;
    // The registry may also refuse the digest because what lies here is not what it was.
    if (status === 400) await this.#blob.verify();
    if (hasBegun && isBuildError(failure) && status !== null && [404, 413, 416].includes(status))
      return new TransientFailure(failure);
    throw failure;
  }

  #expect({ response, url }: RegistryAnswer, status: number, what: string): void {
    if (response.status === status || (status === 201 && response.status === 204)) return;
    throw new BuildError(
      "SOURCE_INVALID",
      `${this.#subject}: registry ${url.host} answered ${response.status} when asked to ${what}, want ${status}`,
    );
  }

  #send(
    request: Pick<RegistryRequest, "method" | "path" | "body" | "alsoReads"> &
      Partial<Pick<RegistryRequest, "headers">>,
  ): Promise<RegistryAnswer> {
    const headers = request.headers ?? (request.method === "POST" ? { "content-length": "0" } : {});
    const full = { ...request, headers, access: "push", staysThere: true, subject: this.#subject } as const;
    return this.#exchange.send(this.#endpoint, full, this.#signal);
  }
}

/** The status a registry answered with, when that is what an error is about. */
function statusOf(error: BuildError): number | null {
  const status = error.details?.status;
  return typeof status === "number" ? status : null;
}
