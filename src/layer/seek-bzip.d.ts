declare module "seek-bzip" {
  /** Reads bytes; `readByte` returns -1 at the end. */
  interface Input {
    read(into: Uint8Array, start: number, count: number): number;
    readByte(): number;
    eof(): boolean;
  }
  interface Output {
    writeByte(byte: number): void;
  }
  const Bunzip: {
    /** Decodes one stream, or with `multistream` all that stand one behind the other. Throws on damaged data. */
    decode(input: Input, output: Output, multistream: boolean): unknown;
  };
  export = Bunzip;
}
