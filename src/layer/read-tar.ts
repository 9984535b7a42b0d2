import { BuildError } from "../base/errors.ts";
import type { FileReader } from "./file-tree.ts";
import { blockBytes, paddingAfter } from "./tar-encoder.ts";
import { TarHeaderReader } from "./tar-header-reader.ts";
import { defaultTarLimits, type TarLimits, type TarMember } from "./tar-member.ts";

export interface ReadMember {
  readonly member: TarMember;
  /** The member's content; readable until the next member is asked for. Closing it does nothing. */
  readonly content: FileReader;
}

/**
 * The members of an uncompressed tar, in order. What of a content was not read is skipped. Reads `reader` up to the end
 * mark and leaves it open. Throws LAYER_MALFORMED or LAYER_TOO_LARGE.
 */
export function* readTar(reader: FileReader, limits: TarLimits = defaultTarLimits): Generator<ReadMember, void> {
  const headers = new TarHeaderReader(limits);
  const block = Buffer.alloc(blockBytes);
  const skipped = Buffer.allocUnsafe(1 << 16);
  let at = 0;
  /** Fills `into`; false when the input ends before its first byte. */
  const readFully = (into: Buffer): boolean => {
    for (let filled = 0; filled < into.length; ) {
      const got = reader.read(into.subarray(filled));
      if (got === 0 && filled === 0) return false;
      if (got === 0) throw cutOff(at + filled);
      filled += got;
    }
    at += into.length;
    return true;
  };
  const mustRead = (into: Buffer): void => {
    if (into.length > 0 && !readFully(into)) throw cutOff(at);
  };
  const skip = (count: number): void => {
    for (let left = count; left > 0; left -= skipped.length)
      mustRead(skipped.subarray(0, Math.min(left, skipped.length)));
  };
  for (;;) {
    const blockAt = at;
    if (!readFully(block)) {
      headers.end(at);
      return;
    }
    const event = headers.header(block, blockAt);
    if (event.kind === "end") return;
    if (event.kind === "metadata") {
      const data = Buffer.alloc(event.size);
      mustRead(data);
      skip(paddingAfter(event.size));
      headers.metadata(data);
    } else if (event.kind === "member") {
      let left = event.member.size;
      const content: FileReader = {
        read(into) {
          const part = Buffer.from(into.buffer, into.byteOffset, Math.min(into.length, left));
          mustRead(part);
          left -= part.length;
          return part.length;
        },
        close() {},
      };
      yield { member: event.member, content };
      skip(left + paddingAfter(event.member.size));
      left = 0;
    }
  }
}

const cutOff = (at: number): BuildError => new BuildError("LAYER_MALFORMED", `tar is cut off at byte ${at}`);
