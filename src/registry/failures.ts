import { BuildError } from "../base/errors.ts";
import type { HttpResponse } from "./http-transport.ts";
import { largestErrorBytes } from "./limits.ts";
import { readLimited } from "./read-limited.ts";
import { cancelled, parseRetryAfter, TransientFailure } from "./retry.ts";

const untrusted =
  /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/;
const noTls = /^(EPROTO|ERR_SSL_)/;
const malformed = /^(HPE_|ERR_INVALID_|ERR_UNESCAPED)/;

const problems: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ENOTFOUND: "host name not found",
  EAI_AGAIN: "host name cannot be looked up",
  ETIMEDOUT: "no answer in time",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  EPIPE: "connection closed",
};

/** What it means that a request to `url` could not be made or its answer broke off. Never tells more of the URL than its host. */
export function networkFailure(url: URL, cause: unknown, signal: AbortSignal): BuildError | TransientFailure {
  if (signal.aborted) return cancelled();
  const code = errorCodeOf(cause);
  const server = `registry ${url.host}`;
  if (untrusted.test(code)) {
    return new BuildError("SOURCE_UNAVAILABLE", `${server}: TLS certificate not accepted (${code})`, {
      hint: `put the authority that signed it into /etc/containers/certs.d/${url.host}/ca.crt, or name it with NODE_EXTRA_CA_CERTS`,
    });
  }
  if (noTls.test(code)) {
    return new BuildError("SOURCE_UNAVAILABLE", `${server}: does not speak TLS (${code})`, {
      hint: `if it is meant to speak plain HTTP, set "plainHttp" for it in tsbuild's config (docs/registries.md)`,
    });
  }
  if (malformed.test(code)) return new BuildError("SOURCE_INVALID", `${server}: malformed HTTP answer (${code})`);
  const problem = problems[code] ?? (cause instanceof Error ? cause.message.slice(0, 200) : "request failed");
  const error = new BuildError("SOURCE_UNAVAILABLE", `${server}: ${problem}`, {
    hint: "check that the registry runs, its name and port, and the network; then build again",
    details: { host: url.host, cause: code },
  });
  // Where nobody listens, nobody will within seconds; a second attempt is for a server that is just being replaced.
  return new TransientFailure(error, null, code === "ECONNREFUSED" ? 2 : undefined);
}

function errorCodeOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return errorCodeOf(cause.errors[0]);
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}

/** What an answer other than 2xx means for `subject`; reads the answer. */
export async function statusFailure(
  response: HttpResponse,
  url: URL,
  subject: string,
  signal: AbortSignal,
): Promise<BuildError | TransientFailure> {
  const { status } = response;
  const codes = await registryErrorCodes(response, url, signal);
  const answer = `registry ${url.host} answered ${status}${codes === "" ? "" : ` ${codes}`}`;
  const details = { host: url.host, status };
  if (status === 401 || status === 403) return unauthorized(subject, answer, url.host);
  if (status === 404) {
    return new BuildError("SOURCE_NOT_FOUND", `${subject}: not found (${answer})`, {
      hint: "check the name and the tag",
      details,
    });
  }
  if (status === 429) {
    const error = new BuildError("SOURCE_RATE_LIMITED", `${subject}: too many requests (${answer})`, {
      hint: `wait, or log in with "tsbuild login" for a higher limit`,
      details,
    });
    return new TransientFailure(error, parseRetryAfter(response.header("retry-after"), Date.now()));
  }
  if (status === 408 || status >= 500) {
    const error = new BuildError("SOURCE_UNAVAILABLE", `${subject}: ${answer}`, {
      hint: "the registry has a problem; build again later",
      details,
    });
    return new TransientFailure(error, parseRetryAfter(response.header("retry-after"), Date.now()));
  }
  return new BuildError("SOURCE_INVALID", `${subject}: unexpected answer (${answer})`, { details });
}

/** The one wording for "you may not", with or without credentials. */
export function unauthorized(subject: string, problem: string, host: string, cause?: unknown): BuildError {
  return new BuildError("SOURCE_UNAUTHORIZED", `${subject}: access denied (${problem})`, {
    hint: `check that the image exists; if it is private, log in: tsbuild login ${host === "registry-1.docker.io" ? "" : host}`.trimEnd(),
    cause,
  });
}

/** Error codes of an OCI error body ("MANIFEST_UNKNOWN"); its prose is left out: it could repeat what was sent. */
async function registryErrorCodes(response: HttpResponse, url: URL, signal: AbortSignal): Promise<string> {
  try {
    const text = Buffer.from(await readLimited(response, largestErrorBytes, url, signal)).toString("utf8");
    const codes = [...text.matchAll(/"code"\s*:\s*"([A-Z_]{1,40})"/g)].map((match) => match[1]);
    return [...new Set(codes)].slice(0, 3).join(", ");
  } catch {
    return "";
  }
}
