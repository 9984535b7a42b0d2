import { Readable } from "node:stream";
import { extract } from "tar-stream";
import { describe, expect, test } from "vitest";
import { decodeName } from "../../../src/base/file-name.ts";
import { readAll, readerOf } from "../../../src/layer/file-readers.ts";
import { readTar } from "../../../src/layer/read-tar.ts";
import { defaultTarLimits, type TarLimits, type TarMember } from "../../../src/layer/tar-member.ts";
import { TarSplitter } from "../../../src/layer/tar-splitter.ts";
import { gnuLong, pax, paxRecord, type RawMember, rawMember, rawTar } from "../../support/raw-tar.ts";

interface Seen {
  readonly member: TarMember;
  readonly content: string;
}

function pull(tar: Buffer, limits?: TarLimits): Seen[] {
  const seen: Seen[] = [];
  for (const { member, content } of readTar(readerOf(tar), limits)) {
    seen.push({ member, content: readAll(content, 1 << 20).toString("latin1") });
  }
  return seen;
}

function push(tar: Buffer, chunkBytes: number, limits: TarLimits = defaultTarLimits): Seen[] {
  const seen: Seen[] = [];
  let last: TarMember | null = null;
  let parts: Buffer[] = [];
  const splitter = new TarSplitter(limits, {
    member(member) {
      last = member;
      parts = [];
    },
    content: (bytes) => parts.push(Buffer.from(bytes)),
    memberEnd: () =>
      seen.push({ member: last as unknown as TarMember, content: Buffer.concat(parts).toString("latin1") }),
  });
  for (let at = 0; at < tar.length; at += chunkBytes) splitter.push(tar.subarray(at, at + chunkBytes));
  splitter.end();
  return seen;
}

/** Reads with both readers, the second with chunks of several sizes, which must see the same or both refuse. */
function read(tar: Buffer): Seen[] {
  const seen = pull(tar);
  for (const chunkBytes of [1, 511, 512, 513, 1 << 20]) expect(push(tar, chunkBytes)).toEqual(seen);
  return seen;
}

const one = (...members: readonly (RawMember | Buffer)[]): Seen => {
  const seen = read(rawTar(...members));
  expect(seen.length).toBe(1);
  return seen[0] as Seen;
};

describe("names", () => {
  const long = `${"d".repeat(90)}/${"f".repeat(90)}`;
  test.each<[string, readonly (RawMember | Buffer)[], string]>([
    ["of the header", [{ name: "a/b" }], "a/b"],
    ["of exactly 100 bytes, without a NUL", [{ name: "x".repeat(100) }], "x".repeat(100)],
    ["with a ustar prefix", [{ name: "f", prefix: "a/b" }], "a/b/f"],
    ["GNU's old format has no prefix", [{ name: "f", prefix: "a/b", magic: "ustar  \0" }], "f"],
    ["v7 has no prefix", [{ name: "f", prefix: "a/b", magic: "\0\0\0\0\0\0\0\0" }], "f"],
    [
      "star has a shorter prefix",
      [
        {
          name: "f",
          prefix: "a/b",
          patch: { at: 476, bytes: Buffer.from("00000000000 00000000000 \0\0\0\0\0\0\0\0tar\0") },
        },
      ],
      "a/b/f",
    ],
    ["long by GNU", [gnuLong("L", long), { name: "short", magic: "ustar  \0" }], long],
    ["long by pax", [pax({ path: long }), { name: "short" }], long],
    ["bytes that are no UTF-8", [{ name: Buffer.from("a\xff\x80b", "latin1") }], "a\udcff\udc80b"],
    ["bytes that are no UTF-8, by pax", [pax({ path: Buffer.from("\xff\n", "latin1") }), {}], "\udcff\n"],
    ["a backslash and a newline", [{ name: "a\\b\nc" }], "a\\b\nc"],
    ["an empty pax path counts for nothing", [pax({ path: "" }), { name: "f" }], "f"],
    [
      "the last of equal pax keys",
      [rawMember({ type: "x", content: Buffer.concat([paxRecord("path", "a"), paxRecord("path", "b")]) }), {}],
      "b",
    ],
    ["a comment of git-archive before it", [pax({ comment: "0123" }, "g"), { name: "f" }], "f"],
  ])("%s", (_name, members, want) => {
    expect(decodeName(one(...members).member.name)).toBe(want);
  });
});

describe("numbers", () => {
  const base256 = (length: number, value: bigint): Buffer => {
    const bytes = Buffer.alloc(length);
    let left = BigInt.asUintN(length * 8, value);
    for (let at = length - 1; at >= 0; at--) {
      bytes[at] = Number(left & 0xffn);
      left >>= 8n;
    }
    bytes[0] = (bytes[0] as number) | 0x80;
    return bytes;
  };
  test.each<[string, readonly (RawMember | Buffer)[], Partial<TarMember>]>([
    ["octal with leading blanks", [{ uid: "   12 \0" }], { uid: 10 }],
    ["octal without an end", [{ mode: "00000755" }], { mode: 0o755 }],
    ["empty fields are zero", [{ uid: Buffer.alloc(8), mtime: Buffer.alloc(12) }], { uid: 0, mtimeSeconds: 0 }],
    ["modes lose their file type", [{ mode: "0100644\0" }], { mode: 0o644 }],
    ["setuid stays", [{ mode: 0o4755 }], { mode: 0o4755 }],
    ["base-256 owner", [{ uid: base256(8, 4_294_967_294n) }], { uid: 4_294_967_294 }],
    ["base-256 time before 1970", [{ mtime: base256(12, -5n) }], { mtimeSeconds: -5 }],
    [
      "pax owner and time",
      [pax({ uid: "3000000", gid: "007", mtime: "1.5" }), {}],
      { uid: 3_000_000, gid: 7, mtimeSeconds: 1, mtimeNanos: 500_000_000 },
    ],
    ["pax time before 1970", [pax({ mtime: "-1.25" }), {}], { mtimeSeconds: -2, mtimeNanos: 750_000_000 }],
    [
      "pax time with more digits than nanoseconds",
      [pax({ mtime: "1.9999999999" }), {}],
      { mtimeSeconds: 1, mtimeNanos: 999_999_999 },
    ],
    ["pax atime and ctime do not matter", [pax({ atime: "12", ctime: "13" }), { mtime: 7 }], { mtimeSeconds: 7 }],
    ["devices", [{ type: "4", major: 8, minor: 1 }], { type: "block", device: { major: 8, minor: 1 } }],
    ["device numbers of files do not matter", [{ major: 8, minor: 1 }], { type: "file", device: null }],
    ["a signed checksum", [{ name: Buffer.from([0xc3, 0xa9]), checksum: "signed" }], { type: "file" }],
  ])("%s", (_name, members, want) => {
    expect(one(...members).member).toMatchObject(want);
  });

  test("a pax size wins over that of the header", () => {
    const tar = rawTar(pax({ size: "5" }), { size: 0, content: "hello" });
    expect(read(tar).map(({ content }) => content)).toEqual(["hello"]);
  });
});

describe("types", () => {
  test.each([
    ["0", "file"],
    ["\0", "file"],
    ["7", "file"],
    ["1", "hardlink"],
    ["2", "symlink"],
    ["3", "char"],
    ["4", "block"],
    ["5", "directory"],
    ["6", "fifo"],
  ])("%j is a %s", (type, want) => {
    expect(one({ type, link: "to" }).member.type).toBe(want);
  });

  test("an old file whose name ends with a slash is a directory", () => {
    expect(one({ type: "\0", name: "d/" }).member.type).toBe("directory");
  });

  test("links know their target, other types have none", () => {
    expect(one({ type: "2", link: "a/b" }).member.linkName.toString()).toBe("a/b");
    expect(one(gnuLong("K", "k".repeat(200)), { type: "2", magic: "ustar  \0" }).member.linkName.toString()).toBe(
      "k".repeat(200),
    );
    expect(one(pax({ linkpath: "l".repeat(200) }), { type: "1" }).member.linkName.toString()).toBe("l".repeat(200));
    expect(one({ type: "0", link: "a/b" }).member.linkName.length).toBe(0);
  });

  test("a hard link has no content, whatever its size says", () => {
    expect(read(rawTar({ type: "1", link: "a", size: 5 }, { name: "b" })).map(({ member }) => member.size)).toEqual([
      0, 0,
    ]);
  });
});

test("extended attributes come as bytes, those with odd names too", () => {
  const value = Buffer.from([0, 1, 0xff, 10]);
  const { member } = one(
    pax({ "SCHILY.xattr.security.capability": value, "SCHILY.xattr.user.é=": "x", "SCHILY.xattr.__proto__": "y" }),
    {},
  );
  expect(member.xattrs).toEqual(
    new Map([
      ["security.capability", value],
      ["user.é", Buffer.from("=x")],
      ["__proto__", Buffer.from("y")],
    ]),
  );
});

describe("the end", () => {
  test("what follows the end mark is no part of the tar", () => {
    expect(read(Buffer.concat([rawTar({ name: "a" }), rawTar({ name: "b" }), Buffer.from("rubbish")])).length).toBe(1);
  });
  test.each([0, 512, 1024])("an end mark of %d bytes will do", (bytes) => {
    expect(read(Buffer.concat([rawMember({ name: "a" }), Buffer.alloc(bytes)])).length).toBe(1);
  });
  test("nothing at all is an empty tar", () => {
    expect(read(Buffer.alloc(0))).toEqual([]);
    expect(read(Buffer.alloc(1024))).toEqual([]);
  });
});

describe("refused with LAYER_MALFORMED, since readers disagree or nobody can tell what is meant", () => {
  const x = (content: string | Buffer): Buffer => rawMember({ type: "x", content });
  test.each<[string, Buffer]>([
    ["a wrong checksum", rawTar({ checksum: "wrong" })],
    ["no tar at all", Buffer.alloc(2048, "not a tar ")],
    ["half a block", Buffer.concat([rawMember({}), Buffer.alloc(100, 1)])],
    ["content that is cut off", rawMember({ content: "x".repeat(1000) }).subarray(0, 700)],
    ["padding that is cut off", rawMember({ content: "x" }).subarray(0, 600)],
    ["an extended header at the end", pax({ path: "a" })],
    [
      "an extended header before the end mark is followed by another",
      rawTar(pax({ path: "a" }), pax({ path: "b" }), {}),
    ],
    ["pax and GNU names together", rawTar(pax({ path: "a" }), gnuLong("L", "b"), {})],
    ["GNU and pax names together", rawTar(gnuLong("L", "b"), pax({ path: "a" }), {})],
    ["two long names", rawTar(gnuLong("L", "b"), gnuLong("L", "c"), {})],
    [
      "a global header between the extended one and its member",
      rawTar(pax({ path: "a" }), pax({ comment: "c" }, "g"), {}),
    ],
    ["a global path", rawTar(pax({ path: "a" }, "g"), {})],
    ["a global size", rawTar(pax({ size: "1" }, "g"), {})],
    ["a single zero block in the middle", Buffer.concat([rawMember({}), Buffer.alloc(512), rawMember({ name: "b" })])],
    ["a record that is too long", rawTar(x("99 path=a\n"), {})],
    ["a record that is too short", rawTar(x("5 path=a\n"), {})],
    ["a record of length 0", rawTar(x("0 path=a\n"), {})],
    ["a record without a newline", rawTar(x("9 path=ab"), {})],
    ["a record without a key", rawTar(x("6 =a=\n"), {})],
    ["a record with a sign before its length", rawTar(x("+10 path=a\n"), {})],
    ["a record with a blank before its length", rawTar(x(" 9 path=a\n"), {})],
    ["a NUL in a pax path", rawTar(pax({ path: "a\0b" }), {})],
    ["a NUL in a pax link", rawTar(pax({ linkpath: "a\0b" }), { type: "2" })],
    ["a NUL in a key", rawTar(pax({ "a\0b": "c" }), {})],
    ["a negative pax size", rawTar(pax({ size: "-1" }), {})],
    ["a pax size with a plus", rawTar(pax({ size: "+5" }), { content: "hello" })],
    ["a pax size with an exponent", rawTar(pax({ size: "1e3" }), {})],
    ["a pax size with a fraction", rawTar(pax({ size: "5.0" }), { content: "hello" })],
    ["a hexadecimal pax size", rawTar(pax({ size: "0x5" }), { content: "hello" })],
    ["a pax size of 2^53", rawTar(pax({ size: "9007199254740992" }), {})],
    ["a pax size of a hard link", rawTar(pax({ size: "5" }), { type: "1", link: "a" })],
    ["a pax time of 1e308", rawTar(pax({ mtime: "1e308" }), {})],
    ["a negative size", rawTar({ size: Buffer.alloc(12, 0xff) })],
    ["a size beyond 2^53", rawTar({ size: Buffer.concat([Buffer.from([0x80, 0, 0, 0, 1]), Buffer.alloc(7)]) })],
    ["a size that is no number", rawTar({ size: "0000000009\0" })],
    ["a directory with content", rawTar({ type: "5", name: "d/", size: 512, content: "x".repeat(512) })],
    ["a symlink with content", rawTar({ type: "2", link: "a", content: "x" })],
    ["an unknown type", rawTar({ type: "Z" })],
    ["a sparse file of GNU", rawTar({ type: "S" })],
    ["a sparse file by pax", rawTar(pax({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0" }), {})],
    ["a file whose name ends with a slash", rawTar({ name: "f/" })],
    ["the owner that chown takes for none", rawTar(pax({ uid: "4294967295" }), {})],
    ["an owner beyond 32 bits", rawTar(pax({ gid: "4294967296" }), {})],
    ["a negative owner", rawTar({ uid: Buffer.alloc(8, 0xff) })],
    ["a huge device number", rawTar({ type: "3", major: 4096 })],
  ])("%s", (_name, tar) => {
    const malformed = expect.objectContaining({ code: "LAYER_MALFORMED" });
    expect(() => pull(tar)).toThrow(malformed);
    for (const chunkBytes of [1, 512, 1 << 20]) expect(() => push(tar, chunkBytes)).toThrow(malformed);
  });
});

describe("limits", () => {
  const limits = { maxMembers: 3, maxTarBytes: 10_000, maxHeaderBytes: 1000 };
  const tooLarge = expect.objectContaining({ code: "LAYER_TOO_LARGE" });
  const members = (count: number): RawMember[] => Array.from({ length: count }, (_none, at) => ({ name: `f${at}` }));
  test("of members", () => {
    expect(pull(rawTar(...members(3)), limits).length).toBe(3);
    expect(() => pull(rawTar(...members(4)), limits)).toThrow(tooLarge);
    expect(() => push(rawTar(...members(4)), 512, limits)).toThrow(tooLarge);
  });
  test("of bytes, before they have come", () => {
    expect(() => pull(rawTar({ size: 10_000 }), limits)).toThrow(tooLarge);
  });
  test.each([
    ["pax", rawTar(pax({ comment: "c".repeat(1000) }), {})],
    ["GNU", rawTar(gnuLong("L", "n".repeat(1000)), {})],
    ["GNU, of 8 EiB", rawTar({ type: "L", size: Buffer.from("80000000007fffffffffffff", "hex") })],
    ["pax, of 1 GiB that do not come", rawTar({ type: "x", size: 2 ** 30 })],
  ])("of an extended header: %s", (_name, tar) => {
    expect(() => pull(tar, limits)).toThrow(expect.objectContaining({ code: "LAYER_MALFORMED" }));
  });
});

test("contents that are not read are skipped, and end with their member", () => {
  const tar = rawTar({ name: "a", content: "x".repeat(5000) }, { name: "b", content: "second" });
  const readers = [];
  const names = [];
  for (const { member, content } of readTar(readerOf(tar))) {
    names.push(member.name.toString());
    readers.push(content);
  }
  expect(names).toEqual(["a", "b"]);
  expect(readers.map((reader) => readAll(reader, 100).length)).toEqual([0, 0]);
});

test("tar-stream reads the same members", async () => {
  const tar = rawTar(
    { name: "dir/", type: "5", mode: 0o755 },
    { name: "file", prefix: "dir", content: "hello", uid: 12, gid: 34 },
    pax({ path: `${"p".repeat(150)}/é` }),
    { content: "x".repeat(2000) },
    gnuLong("L", "g".repeat(150)),
    { type: "2", link: "to", magic: "ustar  \0" },
    { name: "hard", type: "1", link: "dir/file" },
  );
  const theirs: unknown[] = [];
  for await (const entry of Readable.from([tar]).pipe(extract())) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    const { name, size, mode, uid, gid, linkname } = entry.header;
    theirs.push({ name, size, mode, uid, gid, link: linkname ?? "", content: Buffer.concat(parts).toString() });
  }
  const ours = read(tar).map(({ member, content }) => {
    const { size, mode, uid, gid } = member;
    return {
      name: decodeName(member.name).replace(/\/$/, ""),
      size,
      mode,
      uid,
      gid,
      link: decodeName(member.linkName),
      content,
    };
  });
  expect(ours).toEqual(
    (theirs as { name: string }[]).map((entry) => ({ ...entry, name: entry.name.replace(/\/$/, "") })),
  );
});
