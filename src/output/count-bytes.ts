/** Is told how many bytes have passed so far. */
export type OnBytes = (sizeBytes: number) => void;

/** Passes chunks on, and tells how many bytes they had. */
export async function* countBytes<T extends Uint8Array>(
  chunks: AsyncIterable<T> | Iterable<T>,
  onBytes: OnBytes | undefined,
): AsyncGenerator<T> {
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    sizeBytes += chunk.length;
    onBytes?.(sizeBytes);
    yield chunk;
  }
}
