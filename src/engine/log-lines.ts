const newline = 0x0a;
/** A longer line is shown in pieces, so that a step without newlines cannot fill the memory. */
const longestLineBytes = 64 * 1024;

/** Cuts a step's output into lines as it comes; invalid UTF-8 becomes U+FFFD. */
export class LogLines {
  readonly #take: (line: string) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  write(chunk: Uint8Array): void {
    let bytes = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const end = bytes.indexOf(newline);
      if (end === -1 && bytes.length < longestLineBytes) break;
      const cut = end === -1 || end > longestLineBytes ? longestLineBytes : end;
      this.#take(bytes.toString("utf8", 0, cut));
      bytes = bytes.subarray(cut === end ? cut + 1 : cut);
    }
    this.#rest = Buffer.from(bytes);
  }

  /** The last line, when it had no newline. */
  end(): void {
    if (this.#rest.length > 0) this.#take(this.#rest.toString("utf8"));
    this.#rest = Buffer.alloc(0);
  }
}
