import { ReadableStream } from "node:stream/web";
import xz from "xz-decompress";

/** Decompresses xz (WebAssembly, inside this thread). */
export async function decompressXz(chunks: Iterable<Buffer>, write: (bytes: Buffer) => void): Promise<void> {
  const source = ReadableStream.from(chunks) as unknown as globalThis.ReadableStream<Uint8Array>;
  const stream = new xz.XzReadableStream(source) as unknown as ReadableStream<Uint8Array>;
  for await (const bytes of stream) write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
