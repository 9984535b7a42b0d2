const chunkBytes = 1 << 19;

/** Collects bytes into chunks of one size; each chunk is new, because who gets it may keep it. */
export class ChunkFiller {
  #chunk = Buffer.allocUnsafeSlow(chunkBytes);
  #used = 0;

  *add(bytes: Readonly<Uint8Array>): Generator<Uint8Array, void> {
    for (let at = 0; at < bytes.length; ) {
      const space = this.space(bytes.length - at);
      space.set(bytes.subarray(at, at + space.length));
      at += space.length;
      yield* this.filled(space.length);
    }
  }

  /** Where at most `want` next bytes go. */
  space(want: number): Uint8Array {
    return this.#chunk.subarray(this.#used, Math.min(this.#used + want, chunkBytes));
  }

  /** Takes the first `count` bytes of `space` as written; gives out the chunk when it is full. */
  *filled(count: number): Generator<Uint8Array, void> {
    this.#used += count;
    if (this.#used < chunkBytes) return;
    yield this.#chunk;
    this.#chunk = Buffer.allocUnsafeSlow(chunkBytes);
    this.#used = 0;
  }

  /** What was not given out yet. */
  rest(): Uint8Array {
    return this.#chunk.subarray(0, this.#used);
  }
}
