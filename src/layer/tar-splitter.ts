import { BuildError } from "../base/errors.ts";
import { blockBytes, paddingAfter } from "./tar-encoder.ts";
import { TarHeaderReader } from "./tar-header-reader.ts";
import type { TarLimits, TarMember } from "./tar-member.ts";

/** Gets the parts of a tar in their order. */
export interface TarSink {
  member(member: TarMember): void;
  /** The next bytes of the last member's content; valid only during the call. */
  content(bytes: Buffer): void;
  /** The last member is complete, also when it has no content. */
  memberEnd(): void;
}

/** Splits a tar that comes in chunks. Throws LAYER_MALFORMED or LAYER_TOO_LARGE, and whatever the sink throws. */
export class TarSplitter {
  readonly #sink: TarSink;
  readonly #headers: TarHeaderReader;
  #at = 0;
  /** What the next bytes are. */
  #state: "header" | "metadata" | "content" | "padding" | "end" = "header";
  /** Bytes left of content or padding. */
  #left = 0;
  /** A header block or metadata with its padding, as far as it has come. */
  #part = Buffer.alloc(blockBytes);
  #partLength = 0;
  #metadataBytes = 0;

  constructor(limits: TarLimits, sink: TarSink) {
    this.#headers = new TarHeaderReader(limits);
    this.#sink = sink;
  }

  /** The end mark has been read; what follows is not part of the archive. */
  get isAtEnd(): boolean {
    return this.#state === "end";
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#state === "end") {
        this.#at += chunk.length - at;
        return;
      }
      const used =
        this.#state === "content" || this.#state === "padding" ? this.#pass(chunk, at) : this.#collect(chunk, at);
      at += used;
      this.#at += used;
      if (this.#state === "content" && this.#left === 0) this.#endContent();
    }
  }

  /** The input has ended. A missing end mark is tolerated, as Go does; a member that is cut off is not. */
  end(): void {
    if (this.#state !== "end" && (this.#state !== "header" || this.#partLength > 0)) {
      throw new BuildError("LAYER_MALFORMED", `tar is cut off at byte ${this.#at}`);
    }
    if (this.#state === "header") this.#headers.end(this.#at);
  }

  #pass(chunk: Buffer, at: number): number {
    const part = chunk.subarray(at, at + this.#left);
    if (this.#state === "content") this.#sink.content(part);
    this.#left -= part.length;
    if (this.#state === "padding" && this.#left === 0) this.#state = "header";
    return part.length;
  }

  #endContent(): void {
    this.#sink.memberEnd();
    this.#left = paddingAfter(this.#at);
    this.#state = this.#left === 0 ? "header" : "padding";
  }

  #collect(chunk: Buffer, at: number): number {
    const part = chunk.subarray(at, at + this.#part.length - this.#partLength);
    this.#part.set(part, this.#partLength);
    this.#partLength += part.length;
    if (this.#partLength < this.#part.length) return part.length;
    this.#partLength = 0;
    if (this.#state === "metadata") this.#takeMetadata();
    else this.#takeHeader(this.#at + part.length - blockBytes);
    return part.length;
  }

  #takeMetadata(): void {
    this.#headers.metadata(this.#part.subarray(0, this.#metadataBytes));
    this.#part = Buffer.alloc(blockBytes);
    this.#state = "header";
  }

  #takeHeader(at: number): void {
    const event = this.#headers.header(this.#part, at);
    if (event.kind === "end") {
      this.#state = "end";
    } else if (event.kind === "metadata") {
      this.#metadataBytes = event.size;
      this.#part = Buffer.alloc(event.size + paddingAfter(event.size));
      this.#state = "metadata";
      if (event.size === 0) this.#takeMetadata();
    } else if (event.kind === "member") {
      this.#sink.member(event.member);
      this.#left = event.member.size;
      if (this.#left > 0) this.#state = "content";
      else this.#sink.memberEnd();
    }
  }
}
