/** Tars made header by header, so that they can say what no archiver would write. */

export interface RawMember {
  readonly name?: string | Buffer;
  readonly prefix?: string;
  readonly type?: string;
  readonly link?: string | Buffer;
  readonly mode?: number | string | Buffer;
  readonly uid?: number | string | Buffer;
  readonly gid?: number | string | Buffer;
  /** What the size field says; the length of `content` when not given. */
  readonly size?: number | string | Buffer;
  readonly mtime?: number | string | Buffer;
  readonly major?: number | string | Buffer;
  readonly minor?: number | string | Buffer;
  readonly content?: string | Buffer;
  /** Six bytes of magic and two of version; ustar when not given. */
  readonly magic?: string;
  /** Written over the header before the checksum. */
  readonly patch?: { readonly at: number; readonly bytes: Buffer };
  readonly checksum?: "unsigned" | "signed" | "wrong";
}

type Field = number | string | Buffer;

function put(header: Buffer, at: number, length: number, field: Field | undefined): void {
  if (field === undefined) return;
  const bytes =
    typeof field === "number"
      ? Buffer.from(`${field.toString(8).padStart(length - 1, "0")}\0`, "latin1")
      : Buffer.from(field as string);
  bytes.copy(header, at, 0, length);
}

/** One member: its header, its content and the padding. */
export function rawMember(member: RawMember): Buffer {
  const header = Buffer.alloc(512);
  const content = Buffer.from(member.content ?? "");
  put(header, 0, 100, member.name ?? "f");
  put(header, 100, 8, member.mode ?? 0o644);
  put(header, 108, 8, member.uid ?? 0);
  put(header, 116, 8, member.gid ?? 0);
  put(header, 124, 12, member.size ?? content.length);
  put(header, 136, 12, member.mtime ?? 1_600_000_000);
  put(header, 156, 1, member.type ?? "0");
  put(header, 157, 100, member.link);
  put(header, 257, 8, member.magic ?? "ustar\x0000");
  put(header, 329, 8, member.major ?? 0);
  put(header, 337, 8, member.minor ?? 0);
  put(header, 345, 155, member.prefix);
  member.patch?.bytes.copy(header, member.patch.at);
  header.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of header) sum += member.checksum === "signed" && byte >= 128 ? byte - 256 : byte;
  if (member.checksum === "wrong") sum += 1;
  put(header, 148, 8, `${sum.toString(8).padStart(6, "0")}\0 `);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** `<length> <key>=<value>\n` with the right length. */
export function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** An extended header of type x (or g) with these records. */
export function pax(records: Readonly<Record<string, string | Buffer>>, type = "x"): Buffer {
  const content = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)));
  return rawMember({ name: "PaxHeaders.0/x", type, content });
}

/** GNU's long name (L) or long link (K). */
export const gnuLong = (type: "L" | "K", text: string | Buffer): Buffer =>
  rawMember({
    name: "././@LongLink",
    type,
    content: Buffer.concat([Buffer.from(text), Buffer.alloc(1)]),
    magic: "ustar  \0",
  });

/** Members, given as their bytes or as what `rawMember` takes, and the end mark. */
export function rawTar(...members: readonly (RawMember | Buffer)[]): Buffer {
  const parts = members.map((member) => (Buffer.isBuffer(member) ? member : rawMember(member)));
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}
