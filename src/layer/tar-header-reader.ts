import { BuildError, isBuildError } from "../base/errors.ts";
import { decodeName } from "../base/file-name.ts";
import { checkGlobalHeader, type ExtendedHeader, parseExtendedHeader } from "./extended-header.ts";
import { readOldGnuHeader, readPaxSparse, type SparseHeader } from "./sparse-map.ts";
import { blockBytes } from "./tar-encoder.ts";
import type { TarLimits, TarMember } from "./tar-member.ts";
import { parseNumericField, parseOctalField } from "./tar-numbers.ts";

/** chown(2) takes this id for "leave it as it is". */
const noId = 0xffff_ffff;

const sparseFeature = "sparse files";

const memberTypes: ReadonlyMap<string, TarMember["type"]> = new Map([
  ["0", "file"],
  ["\0", "file"],
  ["7", "file"],
  ["1", "hardlink"],
  ["2", "symlink"],
  ["3", "char"],
  ["4", "block"],
  ["5", "directory"],
  ["6", "fifo"],
]);

/** What a header block says to do next. */
export type HeaderEvent =
  /** Read `size` bytes and their padding and give them to `metadata`. */
  | { readonly kind: "metadata"; readonly size: number }
  /** A member, whose content of `member.size` bytes and its padding follow. */
  | { readonly kind: "member"; readonly member: TarMember }
  /** A file with holes, of which `member.size` bytes are stored, the map in pax 1.0 included. Only where it was asked for. */
  | { readonly kind: "sparse"; readonly member: TarMember; readonly sparse: SparseHeader }
  /** Half of the end mark; the next block decides. */
  | { readonly kind: "zero" }
  /** The archive ends here; what follows is not part of it. */
  | { readonly kind: "end" };

/**
 * Understands the header blocks of a tar: ustar, GNU (long names, base-256), pax, star and v7. Where Go, GNU tar and
 * libarchive would see different members in the same bytes it throws LAYER_MALFORMED. Sparse files are refused, too, with
 * an error `isSparseRefusal` knows, unless they are to be told. Knows nothing of where the bytes come from.
 */
export class TarHeaderReader {
  readonly #limits: TarLimits;
  readonly #sparse: "refused" | "told";
  #memberCount = 0;
  #sawZeroBlock = false;
  /** Type flag of the metadata that is being read. */
  #pending: string | null = null;
  #extended: ExtendedHeader | null = null;
  #longName: Buffer | null = null;
  #longLink: Buffer | null = null;

  constructor(limits: TarLimits, sparse: "refused" | "told" = "refused") {
    this.#limits = limits;
    this.#sparse = sparse;
  }

  /** `block` is 512 bytes that begin at byte `at` of the tar. */
  header(block: Buffer, at: number): HeaderEvent {
    if (isZero(block)) return this.#zeroBlock();
    if (this.#sawZeroBlock) throw malformed(at, "a single zero block is followed by something else");
    checkSum(block, at);
    const flag = String.fromCharCode(block[156] as number);
    if (flag === "x" || flag === "g" || flag === "L" || flag === "K") return this.#announceMetadata(block, at, flag);
    const sparse = this.#sparseHeader(block, at, flag);
    const member = this.#member(block, at, flag === "S" ? "0" : flag);
    this.#extended = null;
    this.#longName = null;
    this.#longLink = null;
    this.#count(member);
    if (sparse === null) return { kind: "member", member };
    if (member.type !== "file") throw malformed(at, `${show(member.name)} is a ${member.type} and has holes`);
    return { kind: "sparse", member, sparse };
  }

  /** The bytes that were announced as metadata. */
  metadata(data: Buffer): void {
    const flag = this.#pending;
    this.#pending = null;
    if (flag === "g") checkGlobalHeader(data);
    else if (flag === "x") this.#extended = parseExtendedHeader(data);
    else if (flag === "L") this.#longName = untilNul(data);
    else this.#longLink = untilNul(data);
  }

  /** The input ended where a header could begin. Throws when something was announced that did not come. */
  end(at: number): void {
    if (this.#extended !== null || this.#longName !== null || this.#longLink !== null) {
      throw malformed(at, "it ends behind an extended header");
    }
  }

  #zeroBlock(): HeaderEvent {
    if (this.#sawZeroBlock) return { kind: "end" };
    this.#sawZeroBlock = true;
    return { kind: "zero" };
  }

  #announceMetadata(block: Buffer, at: number, flag: string): HeaderEvent {
    const isRepeated =
      ((flag === "x" || flag === "g") && (this.#extended ?? this.#longName ?? this.#longLink) !== null) ||
      (flag === "L" && (this.#extended ?? this.#longName) !== null) ||
      (flag === "K" && (this.#extended ?? this.#longLink) !== null);
    if (isRepeated) throw malformed(at, "a member has more than one extended header");
    const size = numeric(block, 124, 12, at, "size");
    if (size < 0 || size > this.#limits.maxHeaderBytes) {
      throw malformed(at, `an extended header of ${size} bytes, at most ${this.#limits.maxHeaderBytes} are read`);
    }
    this.#pending = flag;
    return { kind: "metadata", size };
  }

  #member(block: Buffer, at: number, flag: string): TarMember {
    const extended = this.#extended;
    const name = extended?.path ?? this.#longName ?? headerName(block);
    const known = memberTypes.get(flag);
    if (known === undefined) throw malformed(at, `unknown type ${JSON.stringify(flag)} of ${show(name)}`);
    const endsInSlash = name[name.length - 1] === 0x2f;
    if (known === "file" && flag !== "\0" && endsInSlash)
      throw malformed(at, `${show(name)} is a file and ends with "/"`);
    // Before POSIX a directory was a file whose name ends with "/".
    const type = known === "file" && endsInSlash ? "directory" : known;
    const isDevice = type === "char" || type === "block";
    const time = extended?.mtime ?? { seconds: numeric(block, 136, 12, at, "mtime"), nanos: 0 };
    return {
      name,
      type,
      linkName: type === "symlink" || type === "hardlink" ? this.#linkName(block) : Buffer.alloc(0),
      mode: Number(BigInt(numeric(block, 100, 8, at, "mode")) & 0o7777n),
      uid: ownerId(extended?.uid ?? numeric(block, 108, 8, at, "uid"), name, at),
      gid: ownerId(extended?.gid ?? numeric(block, 116, 8, at, "gid"), name, at),
      size: this.#size(block, at, type, name),
      mtimeSeconds: time.seconds,
      mtimeNanos: time.nanos,
      device: isDevice
        ? { major: device(block, 329, at, name, 0xfff), minor: device(block, 337, at, name, 0xf_ffff) }
        : null,
      xattrs: extended?.xattrs ?? new Map(),
      offset: at + blockBytes,
    };
  }

  #sparseHeader(block: Buffer, at: number, flag: string): SparseHeader | null {
    const records = this.#extended?.sparse ?? [];
    if (flag !== "S" && records.length === 0) return null;
    if (this.#sparse === "refused") {
      const name = this.#extended?.path ?? this.#longName ?? headerName(block);
      throw new BuildError("LAYER_MALFORMED", `tar, at byte ${at}: sparse files are not supported: ${show(name)}`, {
        details: { feature: sparseFeature },
      });
    }
    if (flag === "S" && records.length > 0) throw malformed(at, "a file has two maps of its holes");
    return flag === "S" ? readOldGnuHeader(block) : readPaxSparse(records);
  }

  #linkName(block: Buffer): Buffer {
    return this.#extended?.linkPath ?? this.#longLink ?? untilNul(block.subarray(157, 257));
  }

  #size(block: Buffer, at: number, type: TarMember["type"], name: Buffer): number {
    const size = this.#extended?.size ?? numeric(block, 124, 12, at, "size");
    if (size < 0) throw malformed(at, `${show(name)} has a negative size`);
    if (type === "file" || size === 0) return size;
    // Some readers skip that many bytes, others none. All agree that ustar hard links have no content.
    if (type !== "hardlink" || this.#extended?.size !== undefined) {
      throw malformed(at, `${show(name)} is a ${type} and has a content of ${size} bytes`);
    }
    return 0;
  }

  #count(member: TarMember): void {
    this.#memberCount += 1;
    if (this.#memberCount > this.#limits.maxMembers) {
      throw new BuildError("LAYER_TOO_LARGE", `tar has more than ${this.#limits.maxMembers} members`);
    }
    if (member.offset + member.size > this.#limits.maxTarBytes) {
      throw new BuildError(
        "LAYER_TOO_LARGE",
        `tar is larger than ${this.#limits.maxTarBytes} bytes, at ${show(member.name)}`,
      );
    }
  }
}

/** Whether a tar was refused for a file with holes alone. */
export const isSparseRefusal = (error: unknown): boolean =>
  isBuildError(error, "LAYER_MALFORMED") && error.details.feature === sparseFeature;

function isZero(block: Buffer): boolean {
  if (block[0] !== 0) return false;
  for (let at = 1; at < blockBytes; at++) if (block[at] !== 0) return false;
  return true;
}

/** The sum of all bytes, the checksum field counted as blanks; some old writers summed signed bytes. */
function checkSum(block: Buffer, at: number): void {
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let byteAt = 0; byteAt < blockBytes; byteAt++) {
    if (byteAt === 148) byteAt = 156;
    const byte = block[byteAt] as number;
    unsigned += byte;
    if (byte >= 0x80) high += 1;
  }
  const want = parseOctalField(block.subarray(148, 156));
  if (want !== unsigned && want !== unsigned - 256 * high) throw malformed(at, "the checksum of a header is wrong");
}

/** Name and, for ustar and star, its prefix; GNU's old format has other fields there. */
function headerName(block: Buffer): Buffer {
  const name = untilNul(block.subarray(0, 100));
  if (block.toString("latin1", 257, 263) !== "ustar\0") return name;
  const isStar = block.toString("latin1", 508, 512) === "tar\0";
  const prefix = untilNul(block.subarray(345, isStar ? 476 : 500));
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
}

/** A copy, since the block it stands in is used again. */
function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end));
}

function numeric(block: Buffer, at: number, length: number, blockAt: number, what: string): number {
  const value = parseNumericField(block.subarray(at, at + length));
  if (value === null) throw malformed(blockAt, `${what} of a header is no number`);
  return value;
}

function ownerId(id: number, name: Buffer, at: number): number {
  if (id < 0 || id >= noId) throw malformed(at, `${show(name)} has the owner id ${id}, want 0 to ${noId - 1}`);
  return id;
}

function device(block: Buffer, at: number, blockAt: number, name: Buffer, max: number): number {
  const number = numeric(block, at, 8, blockAt, "device number");
  if (number < 0 || number > max) throw malformed(blockAt, `${show(name)} has the device number ${number}`);
  return number;
}

const show = (name: Buffer): string => JSON.stringify(decodeName(name.subarray(0, 300)));

function malformed(at: number, what: string): BuildError {
  return new BuildError("LAYER_MALFORMED", `tar, at byte ${at}: ${what}`);
}
