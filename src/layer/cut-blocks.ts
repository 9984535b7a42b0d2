import { blockBytes as recordBytes } from "./tar-encoder.ts";

/** The result depends on these, so they are fixed: large enough to cost no ratio, small enough to keep all cores busy. */
const smallestBlock = 3 << 18;
export const largestBlock = 1 << 21;
/** One header in so many begins a block, if the block before it is large enough: some 100 KB in a tree of sources. */
const headersPerBlock = 16;
/** Where a header says that it is one, and how many bytes its name may have (POSIX ustar). */
const magicAt = 257;
const magic = Buffer.from("ustar");
const nameBytes = 100;
/** How much is taken in before the next look for an end: as much may have to be carried into the next block. */
const stepBytes = 1 << 16;

/**
 * Cuts a tar into blocks of up to `largestBlock` bytes, each at the start of a buffer that `takeBuffer` gives. Where a block ends
 * depends on the names in the headers near its end, and not on how much came before: a file more, or another size of
 * one, changes the blocks around it and leaves the others as they are. Bytes that are no tar are cut as well.
 */
export async function* cutBlocks(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  takeBuffer: () => Uint8Array,
): AsyncGenerator<Uint8Array, void> {
  let block = takeBuffer();
  let used = 0;
  let searched = smallestBlock;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + Math.min(stepBytes, largestBlock - used));
      block.set(part, used);
      used += part.length;
      at += part.length;
      for (; searched + recordBytes <= used && !isBoundary(block, searched); searched += recordBytes);
      if (searched + recordBytes > used && used < largestBlock) continue;
      const end = searched + recordBytes > used ? used : searched;
      const rest = block.subarray(end, used);
      yield block.subarray(0, end);
      block = takeBuffer();
      block.set(rest);
      used = rest.length;
      searched = smallestBlock;
    }
  }
  if (used > 0) yield block.subarray(0, used);
}

function isBoundary(block: Uint8Array, at: number): boolean {
  for (let index = 0; index < magic.length; index += 1) if (block[at + magicAt + index] !== magic[index]) return false;
  let hash = 0x811c9dc5;
  for (let index = at; index < at + nameBytes && block[index] !== 0; index += 1)
    hash = Math.imul(hash ^ (block[index] as number), 0x01000193);
  // The last letter of a name reaches the upper bits only by another turn.
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0 < 2 ** 32 / headersPerBlock;
}
