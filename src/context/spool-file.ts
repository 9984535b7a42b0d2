import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { type Digest, digestFromHex } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { fromNodeError } from "../sys/system-error.ts";
import { cancelled } from "./retry.ts";

export interface SpooledFile {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/**
 * Writes a stream to `file`, in place of what is there, hashing it on the way. `what` names the stream for messages.
 * Rejects with SOURCE_INVALID above `maximumBytes`, BUILD_CANCELLED after an abort, and with what the stream throws.
 */
export async function spoolToFile(
  stream: AsyncIterable<Uint8Array>,
  file: string,
  maximumBytes: number,
  what: string,
  signal: AbortSignal,
): Promise<SpooledFile> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const handle = await onDisk(open(file, "w", 0o600));
  try {
    for await (const chunk of stream) {
      if (signal.aborted) throw cancelled();
      sizeBytes += chunk.length;
      if (sizeBytes > maximumBytes) throw new BuildError("SOURCE_INVALID", `${what}: more than ${maximumBytes} bytes`);
      hash.update(chunk);
      await onDisk(handle.writeFile(chunk));
    }
  } finally {
    await handle.close();
  }
  if (signal.aborted) throw cancelled();
  return { digest: digestFromHex(hash.digest("hex")), sizeBytes };
}

async function onDisk<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw fromNodeError(error);
  }
}
