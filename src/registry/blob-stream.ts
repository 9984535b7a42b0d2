import { BuildError } from "../base/errors.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { networkFailure } from "./failures.ts";
import { progressBytes } from "./limits.ts";
import type { RegistryAnswer } from "./registry-exchange.ts";
import { pauseBeforeRetry, type RetryPolicy, TransientFailure, withRetries } from "./retry.ts";

/** Asks for the blob from byte `offset` on. */
export type OpenBlobAt = (offset: number) => Promise<RegistryAnswer>;

/**
 * The bytes of a blob, as many as its descriptor says. When the connection breaks, the rest is asked for (RFC 9110
 * section 14.2, Range). Throws BLOB_TOO_LARGE when the server sends more, BLOB_DIGEST_MISMATCH when it has fewer,
 * SOURCE_UNAVAILABLE when no attempt is left. The digest is for the reader to check.
 */
export async function* streamBlob(
  blob: Descriptor,
  first: RegistryAnswer,
  openAt: OpenBlobAt,
  policy: RetryPolicy,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let answer = first;
  let offset = 0;
  let brokeAt = 0;
  for (let next = 1; ; next += 1) {
    try {
      for await (const chunk of bytesFrom(answer, blob, offset, signal)) {
        offset += chunk.length;
        yield chunk;
      }
      if (offset === blob.size) return;
      throw new TransientFailure(tooShort(blob, offset));
    } catch (failure) {
      if (!(failure instanceof TransientFailure)) throw failure;
      if (offset - brokeAt >= progressBytes) next = 1;
      const from = offset;
      brokeAt = from;
      await pauseBeforeRetry(failure, next, policy, signal);
      answer = await withRetries(policy, signal, () => openAt(from));
    }
  }
}

/** The bytes of one answer that come at `offset` and after, however many there are up to the blob's end. */
async function* bytesFrom(
  answer: RegistryAnswer,
  blob: Descriptor,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { response, url } = answer;
  let position = startOf(answer, blob, offset);
  try {
    for await (const chunk of response.body) {
      const skipped = Math.min(chunk.length, Math.max(0, offset - position));
      position += chunk.length;
      if (position > blob.size) {
        throw new BuildError(
          "BLOB_TOO_LARGE",
          `blob ${blob.digest}: registry ${url.host} sends more than ${blob.size} bytes`,
        );
      }
      if (skipped < chunk.length) yield skipped === 0 ? chunk : chunk.subarray(skipped);
    }
  } catch (cause) {
    throw cause instanceof BuildError ? cause : networkFailure(url, cause, signal);
  } finally {
    response.discard();
  }
}

/** Refuses the answer to a request for a whole blob that announces another size. Throws BLOB_DIGEST_MISMATCH. */
export function checkAnnouncedSize({ response, url }: RegistryAnswer, blob: Descriptor): void {
  const announced = response.header("content-length");
  if (announced === null || Number(announced) === blob.size) return;
  response.discard();
  throw new BuildError(
    "BLOB_DIGEST_MISMATCH",
    `blob ${blob.digest}: registry ${url.host} announces ${announced} bytes, want ${blob.size}`,
  );
}

/** Where in the blob an answer begins: at 0 when the server ignores ranges. */
function startOf({ response, url }: RegistryAnswer, blob: Descriptor, offset: number): number {
  const problem = (text: string): BuildError => {
    response.discard();
    return new BuildError("SOURCE_INVALID", `blob ${blob.digest}: registry ${url.host} ${text}`);
  };
  if (response.status !== 206) return 0;
  const start = /^bytes (\d{1,16})-/.exec(response.header("content-range") ?? "")?.[1];
  if (start === undefined || Number(start) !== offset)
    throw problem(`sent another range than the one from byte ${offset}`);
  return offset;
}

const tooShort = (blob: Descriptor, got: number): BuildError =>
  new BuildError("BLOB_DIGEST_MISMATCH", `blob ${blob.digest}: got ${got} bytes, want ${blob.size}`);
