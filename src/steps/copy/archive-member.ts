import type { DeviceNumber } from "../../layer/entry.ts";
import { checkLinkTarget, cleanMemberName } from "../../layer/member-path.ts";
import type { TarMember } from "../../layer/tar-member.ts";

/** A member of an archive, as small as an archive with a million of them needs it. */
export interface ArchiveMember {
  /** Inside the directory it is unpacked in, which it does not leave; "" is that directory. */
  readonly path: string;
  readonly type: TarMember["type"];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  /** Symlink: target verbatim. Hard link: path of the linked member, clean as `path`. Null otherwise. */
  readonly target: string | null;
  readonly device: DeviceNumber | null;
  readonly xattrs: Readonly<Record<string, string>> | null;
  readonly size: number;
  /** Where the content begins in the uncompressed archive, in bytes. */
  readonly offset: number;
}

/** Until the year 2262, as Go's archive code bounds it; anything else is 1970. */
const maxMtimeSeconds = 9_223_372_036;

/** `member` with its names cleaned. Throws LAYER_MALFORMED for names that no file system could hold. */
export function archiveMember(member: TarMember): ArchiveMember {
  const { type, mode, uid, gid, mtimeSeconds, device, size, offset } = member;
  const isBound = mtimeSeconds >= 0 && mtimeSeconds <= maxMtimeSeconds;
  return {
    path: cleanMemberName(member.name),
    type,
    mode: type === "symlink" ? 0o777 : mode,
    uid,
    gid,
    mtimeSeconds: isBound ? mtimeSeconds : 0,
    target: targetOf(member),
    device,
    xattrs: capabilityOf(member),
    size,
    offset,
  };
}

function targetOf({ type, name, linkName }: TarMember): string | null {
  if (type === "symlink") return checkLinkTarget(name, linkName);
  return type === "hardlink" ? cleanMemberName(linkName) : null;
}

function capabilityOf({ xattrs }: TarMember): Readonly<Record<string, string>> | null {
  const capability = xattrs.get("security.capability");
  return capability === undefined ? null : { "security.capability": capability.toString("base64") };
}
