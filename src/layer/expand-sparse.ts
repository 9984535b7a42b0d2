import { BuildError } from "../base/errors.ts";
import { decodeName } from "../base/file-name.ts";
import {
  checkPieces,
  decimal,
  mostPieces,
  piecesOf,
  readOldGnuBlock,
  type SparseHeader,
  type SparsePiece,
} from "./sparse-map.ts";
import { blockBytes, encodeTarHeader, paddingAfter } from "./tar-encoder.ts";
import { TarHeaderReader } from "./tar-header-reader.ts";
import type { TarLimits, TarMember } from "./tar-member.ts";

const outputBytes = 1 << 18;
/** More than the map of a million pieces takes. */
const longestMap = 48 * 1024 * 1024;

type State = "header" | "metadata" | "pass" | "blocks" | "map" | "piece" | "skip" | "end";

/**
 * Rewrites a tar that comes in chunks so that files with holes (old GNU, pax 0.0, 0.1 and 1.0) become plain files; all
 * other bytes stay as they are. Throws LAYER_MALFORMED and LAYER_TOO_LARGE; memory does not grow with the holes.
 */
export class SparseExpander {
  readonly #limits: TarLimits;
  readonly #headers: TarHeaderReader;
  readonly #emit: (bytes: Buffer) => void;
  #output = Buffer.allocUnsafe(outputBytes);
  #outputLength = 0;
  #writtenBytes = 0;
  #state: State = "header";
  /** What the next state takes as a whole, and how much of it has come. */
  #part = Buffer.alloc(blockBytes);
  #partLength = 0;
  #metadataBytes = 0;
  /** Headers of the member to come, which are written only if it is a plain one. */
  #held: Buffer[] = [];
  /** Bytes left that pass, that belong to a piece, or that are skipped. */
  #left = 0;
  #at = 0;
  #sparse: { readonly member: TarMember; readonly header: SparseHeader; readonly pieces: SparsePiece[] } | null = null;
  /** The map at the start of a content, as far as it has come, its line ends, and its first line. */
  #map: Buffer[] = [];
  #mapLines = 0;
  #mapCount = 0;
  #pieceIndex = 0;
  /** How much of the file with holes has been written. */
  #fileAt = 0;

  /** `emit` gets the bytes of the new tar; valid only during the call. */
  constructor(limits: TarLimits, emit: (bytes: Buffer) => void) {
    this.#limits = limits;
    this.#headers = new TarHeaderReader(limits, "told");
    this.#emit = emit;
  }

  /** The end mark has been read; what follows is not part of the archive. */
  get isAtEnd(): boolean {
    return this.#state === "end";
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const isStream =
        this.#state === "pass" || this.#state === "piece" || this.#state === "skip" || this.#state === "end";
      const used = isStream ? this.#stream(chunk, at) : this.#collect(chunk, at);
      at += used;
      this.#at += used;
    }
  }

  /** The input has ended: writes what is left. Throws when a member is cut off. */
  end(): void {
    if (this.#state !== "end" && (this.#state !== "header" || this.#partLength > 0))
      throw new BuildError("LAYER_MALFORMED", `tar is cut off at byte ${this.#at}`);
    if (this.#state === "header") this.#headers.end(this.#at);
    this.#flush();
  }

  #stream(chunk: Buffer, at: number): number {
    const part = this.#state === "end" ? chunk.subarray(at) : chunk.subarray(at, at + this.#left);
    if (this.#state !== "skip") this.#write(part);
    if (this.#state === "end") return part.length;
    this.#left -= part.length;
    if (this.#state === "piece") this.#fileAt += part.length;
    if (this.#left > 0) return part.length;
    if (this.#state === "piece") this.#nextPiece();
    else this.#state = "header";
    return part.length;
  }

  #collect(chunk: Buffer, at: number): number {
    const part = chunk.subarray(at, at + this.#part.length - this.#partLength);
    this.#part.set(part, this.#partLength);
    this.#partLength += part.length;
    if (this.#partLength < this.#part.length) return part.length;
    this.#partLength = 0;
    if (this.#state === "header") this.#takeHeader(this.#at + part.length - blockBytes);
    else if (this.#state === "metadata") this.#takeMetadata();
    else if (this.#state === "blocks") this.#takeBlock();
    else this.#takeMap();
    return part.length;
  }

  #takeHeader(at: number): void {
    const event = this.#headers.header(this.#part, at);
    this.#held.push(Buffer.from(this.#part));
    if (event.kind === "metadata") {
      this.#metadataBytes = event.size;
      this.#part = Buffer.alloc(event.size + paddingAfter(event.size));
      this.#state = "metadata";
      if (event.size === 0) this.#takeMetadata();
    } else if (event.kind === "sparse") this.#beginSparse(event.member, event.sparse);
    else {
      for (const bytes of this.#held) this.#write(bytes);
      this.#held = [];
      if (event.kind === "end") this.#state = "end";
      if (event.kind === "member") this.#pass(event.member.size + paddingAfter(event.member.size), "pass");
    }
  }

  #takeMetadata(): void {
    this.#headers.metadata(this.#part.subarray(0, this.#metadataBytes));
    this.#held.push(this.#part);
    this.#part = Buffer.alloc(blockBytes);
    this.#state = "header";
  }

  #pass(bytes: number, state: "pass" | "skip"): void {
    this.#left = bytes;
    this.#state = bytes === 0 ? "header" : state;
  }

  #beginSparse(member: TarMember, header: SparseHeader): void {
    this.#held = [];
    this.#sparse = { member, header, pieces: [...header.pieces] };
    this.#map = [];
    this.#mapLines = 0;
    if (header.more === null) this.#beginContent(member.size);
    else this.#state = header.more === "blocks" ? "blocks" : "map";
    // A map at the start of a content that is empty would be taken from the next member.
    if (this.#state === "map" && member.size < blockBytes) throw malformed(member, "its map is cut off");
  }

  #takeBlock(): void {
    const sparse = this.#sparse;
    if (sparse === null) return;
    const { pieces, isLast } = readOldGnuBlock(this.#part);
    for (const piece of pieces) sparse.pieces.push(piece);
    if (sparse.pieces.length > mostPieces) throw malformed(sparse.member, `it has more than ${mostPieces} pieces`);
    if (isLast) this.#beginContent(sparse.member.size);
  }

  /** A block of decimal numbers in lines: how many pieces, then offset and length of each. */
  #takeMap(): void {
    const sparse = this.#sparse;
    if (sparse === null) return;
    const isFirst = this.#map.length === 0;
    this.#map.push(Buffer.from(this.#part));
    for (let at = this.#part.indexOf(newline); at >= 0; at = this.#part.indexOf(newline, at + 1)) this.#mapLines += 1;
    if (isFirst) this.#mapCount = countOf(this.#part);
    const mapBytes = this.#map.length * blockBytes;
    if (this.#mapLines > 2 * this.#mapCount) {
      const lines = Buffer.concat(this.#map).toString("latin1").split("\n");
      for (const piece of piecesOf(lines.slice(1, 1 + 2 * this.#mapCount))) sparse.pieces.push(piece);
      this.#map = [];
      this.#beginContent(sparse.member.size - mapBytes);
    } else if (mapBytes + blockBytes > Math.min(sparse.member.size, longestMap))
      throw malformed(sparse.member, "its map is cut off or too long");
  }

  #beginContent(storedBytes: number): void {
    const sparse = this.#sparse;
    if (sparse === null) return;
    const { member, header, pieces } = sparse;
    checkPieces(pieces, header.realSize, storedBytes);
    if (this.#writtenBytes + header.realSize > this.#limits.maxTarBytes)
      throw new BuildError("LAYER_TOO_LARGE", `tar is larger than ${this.#limits.maxTarBytes} bytes without holes`);
    this.#write(encodeTarHeader(rowOf(member, header.realSize)));
    this.#pieceIndex = 0;
    this.#fileAt = 0;
    this.#nextPiece();
  }

  #nextPiece(): void {
    const sparse = this.#sparse;
    if (sparse === null) return;
    for (let piece = sparse.pieces[this.#pieceIndex]; piece !== undefined; piece = sparse.pieces[this.#pieceIndex]) {
      this.#pieceIndex += 1;
      if (piece.length === 0) continue;
      this.#writeHole(piece.offset - this.#fileAt);
      this.#left = piece.length;
      this.#state = "piece";
      return;
    }
    const { realSize } = sparse.header;
    this.#writeHole(realSize - this.#fileAt);
    this.#writeHole(paddingAfter(realSize));
    this.#sparse = null;
    this.#pass(paddingAfter(sparse.member.size), "skip");
  }

  #writeHole(bytes: number): void {
    for (let left = bytes; left > 0; left -= zeros.length) this.#write(zeros.subarray(0, left));
    this.#fileAt += bytes;
  }

  #write(bytes: Buffer): void {
    this.#writtenBytes += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + outputBytes - this.#outputLength);
      this.#output.set(part, this.#outputLength);
      this.#outputLength += part.length;
      at += part.length;
      if (this.#outputLength === outputBytes) this.#flush();
    }
  }

  #flush(): void {
    if (this.#outputLength > 0) this.#emit(this.#output.subarray(0, this.#outputLength));
    this.#outputLength = 0;
  }
}

/** The first line of a map: how many pieces it has. */
function countOf(block: Buffer): number {
  const end = block.indexOf(newline);
  return decimal(end < 0 ? undefined : block.toString("latin1", 0, end), "number of pieces");
}

const newline = 0x0a;
const zeros = Buffer.alloc(1 << 16);

function rowOf(member: TarMember, size: number): Parameters<typeof encodeTarHeader>[0] {
  const { mode, uid, gid, mtimeSeconds, mtimeNanos, xattrs } = member;
  const attributes = Object.fromEntries([...xattrs].map(([name, value]) => [name, value.toString("base64")]));
  return {
    path: decodeName(member.name),
    type: "file",
    mode,
    uid,
    gid,
    mtimeSeconds,
    mtimeNanos,
    xattrs: xattrs.size === 0 ? null : attributes,
    size,
    target: null,
    device: null,
  };
}

const malformed = ({ name }: TarMember, what: string): BuildError =>
  new BuildError(
    "LAYER_MALFORMED",
    `sparse file ${JSON.stringify(decodeName(name.subarray(0, 300)))} in a tar: ${what}`,
  );
