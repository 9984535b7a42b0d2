/**
 * Collects text piece by piece in one growing buffer. Adding millions of single characters to a string would keep a
 * tree node for each of them.
 */
export class TextSink {
  #units = new Uint16Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(text: string): void {
    const length = this.#length + text.length;
    if (length > this.#units.length) {
      const grown = new Uint16Array(Math.max(length, this.#units.length * 2));
      grown.set(this.#units.subarray(0, this.#length));
      this.#units = grown;
    }
    for (let index = 0; index < text.length; index += 1) this.#units[this.#length + index] = text.charCodeAt(index);
    this.#length = length;
  }

  /** The collected text; the sink is empty afterwards. */
  take(): string {
    const bytes = Buffer.from(this.#units.buffer, 0, this.#length * 2);
    this.#length = 0;
    return bytes.toString("utf16le");
  }
}
