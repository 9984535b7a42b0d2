import type { Digest } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import { redactUrls } from "./redact-url.ts";
import { cancelled, networkRetries, type RetryPolicy, withRetries } from "./retry.ts";
import { spoolToFile } from "./spool-file.ts";

/** What a server said about a content it sent; tells it apart from later ones. */
export interface HttpValidators {
  readonly etag: string | null;
  /** The Last-Modified header, verbatim. */
  readonly lastModified: string | null;
}

export interface DownloadRequest {
  /** http or https; user and password in it become an Authorization header. */
  readonly url: string;
  /** Where the content goes. */
  readonly file: string;
  readonly maximumBytes: number;
  /** Value of an Authorization header for the server of `url` and no other; null for none. */
  readonly authorization: string | null;
  /** Of a content that is at hand: the server need not send it again. */
  readonly known: HttpValidators | null;
}

export interface Download {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly validators: HttpValidators;
  /** Last-Modified in whole seconds since the epoch; null when the server does not say. */
  readonly modifiedAtSeconds: number | null;
}

const maximumRedirects = 10;
/** A server that sends nothing for that long is given up. */
const silenceMs = 60_000;

/**
 * Downloads a URL into `request.file` and resolves with what came, or with null when the content that is known has
 * not changed. At most ten redirects, only to http and https; credentials go to the first server alone.
 * Rejects with SOURCE_NOT_FOUND, SOURCE_UNAUTHORIZED, SOURCE_INVALID, or after retries with SOURCE_UNAVAILABLE or
 * SOURCE_RATE_LIMITED.
 */
export async function download(
  request: DownloadRequest,
  signal: AbortSignal,
  retries: RetryPolicy = networkRetries,
): Promise<Download | null> {
  const start = withoutUserInfo(request);
  return withRetries(() => tryDownload(request, start, signal), retries, signal);
}

interface Start {
  readonly url: URL;
  readonly authorization: string | null;
}

async function tryDownload(request: DownloadRequest, start: Start, signal: AbortSignal): Promise<Download | null> {
  const what = describe(request.url);
  const silence = new Silence(signal);
  try {
    const response = await follow(request, start, silence, what);
    if (response.status === 304 && request.known !== null) {
      await response.body?.cancel();
      return null;
    }
    if (!response.ok) throw await refusal(response, what);
    const body = silence.watch(response.body ?? emptyStream());
    const spooled = await spoolToFile(body, request.file, request.maximumBytes, what, signal);
    const validators = { etag: response.headers.get("etag"), lastModified: response.headers.get("last-modified") };
    return { ...spooled, validators, modifiedAtSeconds: secondsOf(validators.lastModified) };
  } catch (error) {
    if (signal.aborted) throw cancelled();
    if (isBuildError(error)) throw error;
    throw connectionFailure(error, what, silence.isOver);
  } finally {
    silence.end();
  }
}

/** The response at the end of all redirects. */
async function follow(request: DownloadRequest, start: Start, silence: Silence, what: string): Promise<Response> {
  let url = start.url;
  for (let redirects = 0; ; redirects += 1) {
    // Compressed transfer would make a .tar.gz that is sent as such indistinguishable from a tar.
    const headers: Record<string, string> = { accept: "*/*", "accept-encoding": "identity" };
    if (start.authorization !== null && url.origin === start.url.origin) headers.authorization = start.authorization;
    if (request.known?.etag) headers["if-none-match"] = request.known.etag;
    else if (request.known?.lastModified) headers["if-modified-since"] = request.known.lastModified;
    const response = await fetch(url.href, { headers, redirect: "manual", signal: silence.signal });
    const location = response.headers.get("location");
    if (location === null || ![301, 302, 303, 307, 308].includes(response.status)) return response;
    await response.body?.cancel();
    if (redirects === maximumRedirects)
      throw new BuildError("SOURCE_INVALID", `${what}: more than ${maximumRedirects} redirects`);
    url = redirectTarget(location, url, what);
  }
}

function redirectTarget(location: string, from: URL, what: string): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (target === null || !/^https?:$/.test(target.protocol))
    throw new BuildError(
      "SOURCE_INVALID",
      `${what}: redirect to ${JSON.stringify(redactUrls(location.slice(0, 300)))}`,
    );
  target.username = "";
  target.password = "";
  return target;
}

function withoutUserInfo(request: DownloadRequest): Start {
  const url = URL.canParse(request.url) ? new URL(request.url) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new BuildError("SOURCE_INVALID", `${describe(request.url)}: not an http or https URL`);
  let { authorization } = request;
  if (url.username !== "" || url.password !== "") {
    const userInfo = `${decodeOrKeep(url.username)}:${decodeOrKeep(url.password)}`;
    authorization ??= `Basic ${Buffer.from(userInfo).toString("base64")}`;
  }
  url.username = "";
  url.password = "";
  return { url, authorization };
}

async function refusal(response: Response, what: string): Promise<BuildError> {
  await response.body?.cancel();
  const { status } = response;
  const said = `${what}: the server answered ${status} ${response.statusText}`.trimEnd();
  if (status === 404 || status === 410) return new BuildError("SOURCE_NOT_FOUND", said);
  if (status === 401 || status === 403 || status === 407) return new BuildError("SOURCE_UNAUTHORIZED", said);
  const details = waitOf(response);
  if (status === 429) return new BuildError("SOURCE_RATE_LIMITED", said, { details });
  if (status === 408 || status >= 500) return new BuildError("SOURCE_UNAVAILABLE", said, { details });
  return new BuildError("SOURCE_INVALID", said);
}

/** What Retry-After asks for, for `withRetries`. */
function waitOf(response: Response): Record<string, number> {
  const value = response.headers.get("retry-after");
  if (value === null) return {};
  const milliseconds = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return milliseconds > 0 ? { retryAfterMs: milliseconds } : {};
}

function connectionFailure(error: unknown, what: string, isSilent: boolean): BuildError {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const reason = isSilent
    ? `nothing came for ${silenceMs / 1000} seconds`
    : cause instanceof Error
      ? cause.message
      : error instanceof Error
        ? error.message
        : String(error);
  const isRefusedForGood = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO/.test(code) || reason === "bad port";
  return new BuildError(isRefusedForGood ? "SOURCE_INVALID" : "SOURCE_UNAVAILABLE", `${what}: ${redactUrls(reason)}`, {
    cause: error,
    // Where nobody listens, nobody will within seconds.
    details: code === "ECONNREFUSED" ? { attempts: 2 } : {},
  });
}

/** Aborts when the caller does, or when nothing came for too long. */
class Silence {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #abort = (): void => this.#controller.abort();
  #timer: NodeJS.Timeout;
  isOver = false;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    if (outer.aborted) this.#abort();
    outer.addEventListener("abort", this.#abort, { once: true });
    this.#timer = this.#startTimer();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async *watch(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of stream) {
      clearTimeout(this.#timer);
      this.#timer = this.#startTimer();
      yield chunk;
    }
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#abort);
  }

  #startTimer(): NodeJS.Timeout {
    return setTimeout(() => {
      this.isOver = true;
      this.#controller.abort();
    }, silenceMs);
  }
}

async function* emptyStream(): AsyncGenerator<Uint8Array> {}

const describe = (url: string): string => `download of ${JSON.stringify(redactUrls(url.slice(0, 2000)))}`;

function secondsOf(lastModified: string | null): number | null {
  const milliseconds = lastModified === null ? Number.NaN : Date.parse(lastModified);
  return Number.isNaN(milliseconds) ? null : Math.floor(milliseconds / 1000);
}

function decodeOrKeep(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
