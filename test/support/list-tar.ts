export interface TarMember {
  readonly name: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly mtime: number;
  readonly link: string;
  readonly content: Buffer;
}

/** The members of a tar with plain headers, and that it ends as it should. */
export function listTar(tar: Buffer): readonly TarMember[] {
  const members: TarMember[] = [];
  const text = (at: number, length: number, header: Buffer): string =>
    header.toString("latin1", at, at + length).replace(/\0.*$/s, "");
  const octal = (at: number, length: number, header: Buffer): number =>
    Number.parseInt(text(at, length, header).trim() || "0", 8);
  let at = 0;
  while (tar[at] !== 0) {
    const header = tar.subarray(at, at + 512);
    if (header.length < 512) throw new Error("the tar is cut off");
    const size = octal(124, 12, header);
    const prefix = text(345, 155, header);
    members.push({
      name: prefix === "" ? text(0, 100, header) : `${prefix}/${text(0, 100, header)}`,
      type: text(156, 1, header),
      mode: octal(100, 8, header),
      uid: octal(108, 8, header),
      mtime: octal(136, 12, header),
      link: text(157, 100, header),
      content: tar.subarray(at + 512, at + 512 + size),
    });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  if (tar.length - at !== 1024 || tar.subarray(at).some((byte) => byte !== 0))
    throw new Error("the tar has a wrong end");
  return members;
}
