import type { IncomingMessage } from "node:http";
import { RegistryRefusal } from "./registry-refusal.ts";
import { leastBytesPerSecond, slowAfterMs } from "./serve-limits.ts";

/**
 * The body of a request as it comes. Throws a RegistryRefusal when there are more than `limitBytes`, or when it comes so
 * slowly that only somebody who wants to keep the server busy would send it; ends with an error when the client is gone.
 */
export async function* bodyOf(request: IncomingMessage, limitBytes: number, idleMs: number): AsyncGenerator<Buffer> {
  const tooLarge = (): RegistryRefusal =>
    new RegistryRefusal(413, "SIZE_INVALID", `the body has more than ${limitBytes} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > limitBytes) throw tooLarge();
  const startedAtMs = performance.now();
  let length = 0;
  request.setTimeout(idleMs, () => request.destroy());
  try {
    // Whoever reads the answer must still be connected when the body is refused.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += (chunk as Buffer).length;
      if (length > limitBytes) throw tooLarge();
      const elapsedMs = performance.now() - startedAtMs;
      if (elapsedMs > slowAfterMs && length / (elapsedMs / 1000) < leastBytesPerSecond)
        throw new RegistryRefusal(408, "BLOB_UPLOAD_INVALID", "the body comes too slowly");
      yield chunk as Buffer;
    }
  } finally {
    request.setTimeout(0);
  }
}

/** All of a small body. */
export async function readBody(request: IncomingMessage, limitBytes: number, idleMs: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of bodyOf(request, limitBytes, idleMs)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
