/** Text is kept as a string up to this length, then as code units. */
const maxTail = 4096;

/**
 * Collects text piece by piece. A string that grows by millions of single characters keeps a tree node for each of
 * them; this keeps two bytes a character, and short texts stay plain strings.
 */
export class TextSink {
  #units: Uint16Array | null = null;
  #unitCount = 0;
  #tail = "";

  get length(): number {
    return this.#unitCount + this.#tail.length;
  }

  append(text: string): void {
    this.#tail += text;
    if (this.#tail.length > maxTail) this.#store();
  }

  /** The collected text; the sink is empty afterwards. */
  take(): string {
    const tail = this.#tail;
    this.#tail = "";
    if (this.#units === null) return tail;
    const stored = Buffer.from(this.#units.buffer, 0, this.#unitCount * 2).toString("utf16le");
    this.#units = null;
    this.#unitCount = 0;
    return stored + tail;
  }

  #store(): void {
    const length = this.#unitCount + this.#tail.length;
    if (this.#units === null || length > this.#units.length) {
      const grown = new Uint16Array(length * 2);
      if (this.#units !== null) grown.set(this.#units.subarray(0, this.#unitCount));
      this.#units = grown;
    }
    for (let index = 0; index < this.#tail.length; index += 1)
      this.#units[this.#unitCount + index] = this.#tail.charCodeAt(index);
    this.#unitCount = length;
    this.#tail = "";
  }
}
