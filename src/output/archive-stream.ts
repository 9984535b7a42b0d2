import { BuildError } from "../base/errors.ts";
import type { NewRow } from "../layer/layer-writer.ts";
import { encodeTarHeader, paddingAfter, tarEnd } from "../layer/tar-encoder.ts";

/** One member of an archive. Paths are relative, without "/" at the ends. */
export type ArchiveMember =
  | { readonly type: "directory"; readonly path: string }
  | {
      readonly type: "file";
      readonly path: string;
      /** In bytes; `content` must have exactly as many. */
      readonly size: number;
      readonly content: () => AsyncIterable<Uint8Array>;
    };

/** The bytes of a tar with `members` in the order given: owner 0:0, fixed modes, all times the epoch. */
export async function* streamArchive(members: Iterable<ArchiveMember>): AsyncGenerator<Uint8Array> {
  for (const member of members) {
    yield encodeTarHeader(rowOf(member));
    if (member.type === "directory") continue;
    let written = 0;
    for await (const chunk of member.content()) {
      written += chunk.length;
      if (written > member.size) break;
      yield chunk;
    }
    if (written !== member.size)
      throw new BuildError(
        "BLOB_DIGEST_MISMATCH",
        `archive member ${member.path}: got ${written > member.size ? "more" : `only ${written}`} bytes, want ${member.size}`,
      );
    yield tarEnd.subarray(0, paddingAfter(member.size));
  }
  yield tarEnd as Uint8Array;
}

function rowOf(member: ArchiveMember): NewRow {
  return {
    path: member.path,
    type: member.type,
    mode: member.type === "directory" ? 0o755 : 0o444,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanos: 0,
    xattrs: null,
    size: member.type === "directory" ? 0 : member.size,
    target: null,
    device: null,
  };
}

/** `bytes` as the content of a member. */
export function fileMember(path: string, bytes: Uint8Array): ArchiveMember {
  return {
    type: "file",
    path,
    size: bytes.length,
    async *content() {
      yield bytes;
    },
  };
}
