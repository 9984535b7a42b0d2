import { BuildError } from "../base/errors.ts";
import { networkFailure } from "./failures.ts";
import type { HttpResponse } from "./http-transport.ts";

/**
 * The whole body of an answer from `url`. Stops at `limitBytes` and throws BLOB_TOO_LARGE; throws a TransientFailure
 * when the connection breaks.
 */
export async function readLimited(
  response: HttpResponse,
  limitBytes: number,
  url: URL,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of response.body) {
      length += chunk.length;
      if (length > limitBytes) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw networkFailure(url, cause, signal);
  } finally {
    response.discard();
  }
  if (length > limitBytes) {
    throw new BuildError("BLOB_TOO_LARGE", `registry ${url.host}: answer is larger than ${limitBytes} bytes`);
  }
  return Buffer.concat(chunks);
}
