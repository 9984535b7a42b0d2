import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type DiffId, digestOf } from "../../../src/base/digest.ts";
import { encodeName } from "../../../src/base/file-name.ts";
import type { LayerRow } from "../../../src/layer/entry.ts";
import { readLayerIndex } from "../../../src/layer/layer-index.ts";
import { defaultTarLimits } from "../../../src/layer/tar-member.ts";
import { type UnpackInput, unpackLayer } from "../../../src/layer/unpack-layer.ts";
import { getXattr } from "../../../src/sys/xattr.ts";
import { gnuLong, pax, type RawMember, rawMember, rawTar } from "../../support/raw-tar.ts";
import { needsRoot } from "../../support/skip-reason.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
type Members = readonly (RawMember | Buffer)[];

function inputFor(blob: Buffer, tar: Buffer, changes: Partial<UnpackInput> = {}): UnpackInput {
  const source = join(temporary.path, "blob");
  writeFileSync(source, blob);
  return {
    source,
    blob: { digest: digestOf(blob), size: blob.length },
    diffId: digestOf(tar) as string as DiffId,
    indexFile: join(temporary.path, "index"),
    tarFile: null,
    directory: null,
    overlayXattrs: "trusted",
    ...changes,
  };
}

async function rowsOf(...members: Members): Promise<readonly LayerRow[]> {
  const tar = rawTar(...members);
  await unpackLayer(inputFor(tar, tar));
  return [...readLayerIndex(join(temporary.path, "index"))];
}

/** `path type` and the target of links. */
const brief = (rows: readonly LayerRow[]): string[] =>
  rows.map((row) => `${row.path} ${row.type}${row.target === null ? "" : ` ${row.target}`}`);

async function codeOf(...members: Members): Promise<string> {
  const outcome: unknown = await rowsOf(...members).then(brief, (error: unknown) => error);
  return outcome instanceof Error && "code" in outcome ? String(outcome.code) : JSON.stringify(outcome);
}

const d = (name: string): RawMember => ({ name, type: "5", mode: 0o755 });
const link = (name: string, to: string): RawMember => ({ name, type: "2", link: to });
const hard = (name: string, to: string): RawMember => ({ name, type: "1", link: to });

describe("members of a tar become sorted rows", () => {
  test.each<[string, Members, readonly string[]]>([
    ["in any order", [{ name: "b/f" }, { name: "a" }, d("b")], ["a file", "b directory", "b/f file"]],
    ["directories that are only implied get no row", [{ name: "a/b/c" }], ["a/b/c file"]],
    ["./ and the root itself", [d("./"), d("/"), d("."), { name: "./a" }], ["a file"]],
    ["absolute names", [{ name: "/a/b" }, { name: "//c" }], ["a/b file", "c file"]],
    [
      ".. is clamped",
      [{ name: "../a" }, { name: "b/../../../c" }, { name: "/../d" }, { name: "e/.." }, { name: ".." }],
      ["a file", "c file", "d file"],
    ],
    [
      "names that only look special",
      [{ name: "..foo" }, { name: "..." }, { name: ".wh" }, { name: "a:b" }, { name: "x.wh.y" }],
      ["... file", "..foo file", ".wh file", "a:b file", "x.wh.y file"],
    ],
    ["of equal names the last", [{ name: "a" }, link("a", "x"), d("b"), { name: "b" }], ["a symlink x", "b file"]],
    ["a directory again keeps what is in it", [d("a"), { name: "a/f" }, d("a")], ["a directory", "a/f file"]],
    ["a file instead of a directory takes all of it away", [d("a"), { name: "a/f" }, { name: "a" }], ["a file"]],
    [
      "a directory instead of a link",
      [d("t"), link("a", "t"), d("a"), { name: "a/f" }],
      ["a directory", "a/f file", "t directory"],
    ],
    ["hard links", [{ name: "z" }, hard("a", "z"), hard("b", "a")], ["a file", "b hardlink a", "z hardlink a"]],
    ["hard links to links", [link("l", "x"), hard("m", "l")], ["l symlink x", "m hardlink l"]],
    ["hard links outlive their first name", [{ name: "a" }, hard("b", "a"), link("a", "x")], ["a symlink x", "b file"]],
    ["a hard link with absolute target", [{ name: "a/f" }, hard("b", "/a/f")], ["a/f file", "b hardlink a/f"]],
    [
      "a hard link through a link",
      [d("t"), { name: "t/f" }, link("l", "/t"), hard("h", "l/f")],
      ["h file", "l symlink /t", "t directory", "t/f hardlink h"],
    ],
    [
      "case, composition and ligatures are kept apart",
      [{ name: "A" }, { name: "a" }, { name: "é" }, { name: "e\u0301" }, { name: "ﬀ" }, { name: "FF" }],
      ["A file", "FF file", "a file", "e\u0301 file", "é file", "ﬀ file"],
    ],
    [
      "whiteouts",
      [{ name: "a/.wh.f" }, { name: ".wh.g", content: "body" }, { name: ".wh...." }],
      ["... whiteout", "a/f whiteout", "g whiteout"],
    ],
    [
      "an opaque mark, behind what it does not hide",
      [d("a"), { name: "a/f" }, { name: "a/.wh..wh..opq" }],
      ["a directory", "a opaque", "a/f file"],
    ],
    [
      "whiteouts of what is hidden anyway say nothing",
      [d("a"), { name: "a/.wh..wh..opq" }, { name: "a/.wh.x" }, d("a/b"), { name: "a/b/.wh.y" }, { name: "c/.wh.z" }],
      ["a directory", "a opaque", "a/b directory", "c/z whiteout"],
    ],
    ["an opaque root", [{ name: ".wh..wh..opq" }, { name: "f" }], [" opaque", "f file"]],
    [
      "a whiteout of a file that comes again",
      [{ name: ".wh.f" }, { name: "f" }, { name: "g" }, { name: ".wh.g" }],
      ["f file", "g file"],
    ],
    [
      "a whiteout of a directory that comes again hides the old one",
      [{ name: ".wh.a" }, d("a"), { name: ".wh.b" }, { name: "b/f" }],
      ["a directory", "a opaque", "b opaque", "b/f file"],
    ],
    ["things of aufs are skipped", [{ name: ".wh..wh.aufs" }, { name: ".wh..wh.plnk/1" }, { name: "f" }], ["f file"]],
    ["names below a whiteout's name", [{ name: ".wh.etc/file" }], [".wh.etc/file file"]],
  ])("%s", async (_name, members, want) => {
    expect(brief(await rowsOf(...members))).toEqual(want);
  });
});

describe("links among the parents are followed inside the layer", () => {
  const chain = (length: number): RawMember[] =>
    Array.from({ length }, (_none, at) => link(`l${at}`, at + 1 < length ? `l${at + 1}` : "t"));
  test.each<[string, Members, string]>([
    ["relative", [link("lib", "usr/lib"), { name: "lib/x" }], "usr/lib/x"],
    ["absolute", [link("var/run", "/run"), { name: "var/run/x" }], "run/x"],
    ["more .. than there are directories", [link("a/l", "../../../../t"), { name: "a/l/x" }], "t/x"],
    ["out of the root", [link("l", "../victim"), { name: "l/x" }], "victim/x"],
    ["a chain of 40", [...chain(40), { name: "l0/x" }], "t/x"],
    [
      "up through a link",
      [d("a/b/c"), link("a/b/c/up", "../.."), link("a/b/escape", "c/up/../.."), { name: "a/b/escape/x" }],
      "x",
    ],
    ["for whiteouts", [link("l", "/t"), { name: "l/.wh.x" }], "t/x"],
  ])("%s", async (_name, members, path) => {
    expect((await rowsOf(...members)).map((row) => row.path)).toContain(path);
  });

  test.each<[string, Members]>([
    ["a loop", [link("a", "b"), link("b", "a"), { name: "a/x" }]],
    ["a link to itself", [link("a", "a"), { name: "a/x" }]],
    ["256 links", [...chain(256), { name: "l0/x" }]],
  ])("%s is refused", async (_name, members) => {
    expect(await codeOf(...members)).toBe("LAYER_MALFORMED");
  });
});

describe("refused with LAYER_MALFORMED", () => {
  const record = (path: string): Buffer => pax({ path });
  test.each<[string, Members]>([
    ["a whiteout of nothing", [{ name: ".wh." }]],
    ["a whiteout of .", [{ name: ".wh.." }]],
    ["a whiteout of ..", [{ name: ".wh..." }]],
    ["a whiteout of . further down", [{ name: "etc/.wh.." }]],
    ["a whiteout of .. further down", [{ name: "etc/.wh..." }]],
    ["a whiteout of a whiteout", [{ name: "etc/.wh..wh.x" }]],
    ["a hard link to itself", [hard("a", "a")]],
    ["a hard link to itself, spelled otherwise", [{ name: "a" }, hard("./a", "/x/../a")]],
    ["a hard link to nothing", [hard("a", "b")]],
    ["a hard link to what comes later", [hard("a", "b"), { name: "b" }]],
    ["a hard link to a directory", [d("b"), hard("a", "b")]],
    ["a hard link to the root", [hard("a", "/")]],
    ["a hard link out of the root", [hard("a", "../victim/hello")]],
    ["a hard link to an absolute host path", [hard("a", "/etc/passwd")]],
    ["a hard link through a link out of the root", [link("l", "/etc"), hard("a", "l/passwd")]],
    ["a hard link that replaces the directory of its target", [d("a"), { name: "a/f" }, hard("a", "a/f")]],
    ["something inside a file", [{ name: "f" }, { name: "f/x" }]],
    ["something inside a hard link", [{ name: "f" }, hard("g", "f"), { name: "g/x" }]],
    ["a character device 0:0", [{ type: "3", major: 0, minor: 0 }]],
    ["a symlink to nothing", [link("l", "")]],
    ["a symlink to more than a path", [pax({ linkpath: "x".repeat(4096) }), { type: "2" }]],
    ["a part of 256 bytes", [record("x".repeat(256)), {}]],
    ["a path of 4096 bytes", [record("x/".repeat(2048)), {}]],
    [
      "a path too long for the links in it",
      [pax({ linkpath: "y/".repeat(2000) }), link("l", ""), record(`l/${"x/".repeat(100)}f`), {}],
    ],
    ["a link to a part that is too long", [pax({ linkpath: "y".repeat(300) }), link("l", ""), { name: "l/f" }]],
  ])("%s", async (_name, members) => {
    expect(await codeOf(...members)).toBe("LAYER_MALFORMED");
  });
});

test.each<[string, Members]>([
  ["a part of 255 bytes", [pax({ path: "x".repeat(255) }), {}]],
  ["a path of 4095 bytes", [pax({ path: `${"x/".repeat(2047)}y` }), {}]],
  ["a GNU name of 3000 bytes", [gnuLong("L", "x/".repeat(1500).slice(0, -1)), { magic: "ustar  \0" }]],
  ["a link target of 4095 bytes", [pax({ linkpath: "x".repeat(4095) }), { type: "2" }]],
])("%s is fine", async (_name, members) => {
  expect((await rowsOf(...members)).length).toBe(1);
});

describe("metadata", () => {
  const single = async (...members: Members): Promise<LayerRow> => (await rowsOf(...members))[0] as LayerRow;
  test("is that of the member", async () => {
    const row = await single(pax({ mtime: "12.5" }), { name: "f", mode: 0o4711, uid: 12, gid: 34, content: "hello" });
    expect(row).toMatchObject({ mode: 0o4711, uid: 12, gid: 34, mtimeSeconds: 12, mtimeNanos: 500_000_000, size: 5 });
    expect(row.digest).toBe(digestOf("hello"));
  });
  test.each(["-1", "1099511627776", "9223372037"])(
    "the time %s, which not every file system can hold, is 1970",
    async (mtime) => {
      expect(await single(pax({ mtime }), {})).toMatchObject({ mtimeSeconds: 0, mtimeNanos: 0 });
    },
  );
  test("hard links have that of their file", async () => {
    const rows = await rowsOf({ name: "a", mode: 0o600, uid: 1 }, { ...hard("b", "a"), mode: 0o777, uid: 2 });
    expect(rows.map(({ mode, uid }) => [mode, uid])).toEqual([
      [0o600, 1],
      [0o600, 1],
    ]);
  });
  test("attributes that would steer overlayfs are left out", async () => {
    const attributes = {
      "SCHILY.xattr.trusted.overlay.opaque": "y",
      "SCHILY.xattr.trusted.overlay.redirect": "/../..",
      "SCHILY.xattr.user.overlay.metacopy": "",
      "SCHILY.xattr.user.kept": "value",
    };
    expect((await single(pax(attributes), {})).xattrs).toEqual({
      "user.kept": Buffer.from("value").toString("base64"),
    });
  });
});

describe("bytes are verified", () => {
  const tar = rawTar({ name: "f", content: "hello".repeat(1000) });
  const other = digestOf("other");
  test.each<[string, () => UnpackInput]>([
    ["another blob", () => inputFor(tar, tar, { blob: { digest: other, size: tar.length } })],
    ["another size", () => inputFor(tar, tar, { blob: { digest: digestOf(tar), size: 1 } })],
    ["another diffID", () => inputFor(gzipSync(tar), tar, { diffId: other as string as DiffId })],
    [
      "a blob cut off, which is what its digest says",
      () =>
        inputFor(gzipSync(tar).subarray(0, 60), tar, {
          blob: { digest: digestOf(gzipSync(tar)), size: gzipSync(tar).length },
        }),
    ],
    [
      "rubbish instead of the blob",
      () => inputFor(Buffer.alloc(4096, "rubbish"), tar, { blob: { digest: other, size: 4096 } }),
    ],
  ])("%s is BLOB_DIGEST_MISMATCH", async (_name, input) => {
    await expect(unpackLayer(input())).rejects.toMatchObject({ code: "BLOB_DIGEST_MISMATCH" });
  });

  const gz = gzipSync(tar);
  const broken = Buffer.from(gz);
  broken.writeUInt32LE(1, gz.length - 8);
  test.each<[string, Buffer]>([
    ["cut off", gz.subarray(0, -20)],
    ["without its trailer", gz.subarray(0, -8)],
    ["a wrong CRC", broken],
    ["garbage behind it", Buffer.concat([gz, Buffer.from("garbage")])],
    ["bzip2, which is no layer's format", Buffer.from("BZh91AY&SY")],
    ["a tar that is cut off", tar.subarray(0, 9)],
  ])("compressed data that is damaged is LAYER_MALFORMED: %s", async (_name, blob) => {
    await expect(unpackLayer(inputFor(blob, tar))).rejects.toMatchObject({ code: "LAYER_MALFORMED" });
  });

  test.each<[string, Buffer]>([
    ["plain, whatever the media type says", tar],
    ["gzip", gz],
    ["gzip in several members", Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))])],
    ["zstd", readFileSync("fixtures/layers/hello.tar.zst")],
  ])("%s is read", async (name, blob) => {
    const plain = name === "zstd" ? readFileSync("fixtures/layers/hello.tar") : tar;
    const tarFile = join(temporary.path, "tar");
    const packed = await unpackLayer(inputFor(blob, plain, { tarFile }));
    expect(packed).toEqual({ diffId: digestOf(plain), sizeBytes: plain.length });
    expect(readFileSync(tarFile)).toEqual(plain);
  });

  test("an empty blob is an empty layer", async () => {
    const packed = await unpackLayer(inputFor(Buffer.alloc(0), Buffer.alloc(0)));
    expect(packed.sizeBytes).toBe(0);
  });
});

describe("limits", () => {
  const limits = { ...defaultTarLimits, maxMembers: 10, maxTarBytes: 100_000 };
  const zeros = (bytes: number): Buffer => Buffer.concat([rawMember({ size: bytes }), Buffer.alloc(bytes)]);
  test.each<[string, Buffer]>([
    ["a large file", zeros(200_000)],
    ["zeros behind the end", Buffer.concat([rawTar({}), Buffer.alloc(200_000)])],
    ["many directories that are only implied", rawTar({ name: "a/b/c/d/e/f/g/h/i/j/k" })],
    ["many members", rawTar(...Array.from({ length: 11 }, (_none, at) => ({ name: `f${at}` })))],
  ])("%s is LAYER_TOO_LARGE", async (_name, tar) => {
    await expect(unpackLayer(inputFor(gzipSync(tar), tar, { limits }))).rejects.toMatchObject({
      code: "LAYER_TOO_LARGE",
    });
  });

  test("a file of zeros that compresses a thousandfold is no bomb", async () => {
    const tar = Buffer.concat([zeros(8 << 20), Buffer.alloc(1024)]);
    expect((await unpackLayer(inputFor(gzipSync(tar), tar))).sizeBytes).toBe(tar.length);
  });

  test("paths of links to links to links do not take forever", async () => {
    const target = Array.from({ length: 400 }, () => "a/..").join("/");
    const links = Array.from({ length: 200 }, (_none, at) => link(`l${at}`, ""));
    const members: (RawMember | Buffer)[] = [d("a")];
    for (const [at, member] of links.entries()) members.push(pax({ linkpath: `${target}/l${at + 1}` }), member);
    members.push(d("l200"));
    for (let at = 0; at < 2000; at++) members.push({ name: `l0/x${at}/y` });
    expect(await codeOf(...members)).toBe("LAYER_TOO_LARGE");
  });
});

describe.skipIf(needsRoot !== null)(
  `a directory for overlayfs${needsRoot === null ? "" : ` (skipped: ${needsRoot})`}`,
  () => {
    const unpack = async (...members: Members): Promise<string> => {
      const tar = rawTar(...members);
      const directory = join(temporary.path, "dir");
      await unpackLayer(inputFor(gzipSync(tar), tar, { directory }));
      return directory;
    };

    test("has owners, modes, times and links of the members", async () => {
      const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
      const root = await unpack(
        { ...d("d"), mode: 0o555, uid: 5, gid: 6, mtime: 1000 },
        pax({ "SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.x": "y", mtime: "1234.000000005" }),
        { name: "d/f", mode: 0o4755, uid: 7, gid: 8, content: "hello" },
        hard("d/h", "d/f"),
        { ...link("d/l", "/etc/passwd"), uid: 9, gid: 10, mtime: 2000 },
        { name: "d/p", type: "6", mode: 0o620, uid: 11, mtime: 3000 },
        { name: "d/c", type: "3", major: 1, minor: 3, mode: 0o666 },
        { name: "implied/x" },
      );
      const stat = (path: string) => lstatSync(join(root, path), { bigint: true });
      const facts = (path: string): readonly number[] => [
        Number(stat(path).mode & 0o7777n),
        Number(stat(path).uid),
        Number(stat(path).gid),
      ];
      expect(facts("")).toEqual([0o755, 0, 0]);
      expect(facts("d")).toEqual([0o555, 5, 6]);
      expect(facts("d/f")).toEqual([0o4755, 7, 8]);
      expect(facts("d/l").slice(1)).toEqual([9, 10]);
      expect(facts("d/p")).toEqual([0o620, 11, 0]);
      expect(facts("implied")).toEqual([0o755, 0, 0]);
      expect(stat("d").mtimeNs).toBe(1_000_000_000_000n);
      expect(stat("d/f").mtimeNs).toBe(1_234_000_000_005n);
      expect(stat("d/l").mtimeNs).toBe(2_000_000_000_000n);
      expect(stat("d/p").mtimeNs).toBe(3_000_000_000_000n);
      expect(stat("d/f").ino).toBe(stat("d/h").ino);
      expect(readlinkSync(join(root, "d/l"))).toBe("/etc/passwd");
      expect([stat("d/c").isCharacterDevice(), stat("d/c").rdev]).toEqual([true, 0x103n]);
      expect(readFileSync(join(root, "d/h"), "utf8")).toBe("hello");
      expect(getXattr(Buffer.from(join(root, "d/f")), "security.capability")).toEqual(capability);
      expect(getXattr(Buffer.from(join(root, "d/f")), "user.x")?.toString()).toBe("y");
    });

    test("has deletions as overlayfs writes them", async () => {
      const root = await unpack(
        { name: ".wh.gone" },
        d("a"),
        { name: "a/.wh..wh..opq" },
        { name: "b/.wh.x" },
        { name: ".wh.c" },
        { name: "c/f" },
      );
      const opaque = (path: string): string | undefined =>
        getXattr(Buffer.from(join(root, path)), "trusted.overlay.opaque")?.toString();
      for (const path of ["gone", "b/x"]) {
        const stat = lstatSync(join(root, path));
        expect([path, stat.isCharacterDevice(), stat.rdev]).toEqual([path, true, 0]);
      }
      expect(["", "a", "b", "c"].map(opaque)).toEqual([undefined, "y", undefined, "y"]);
      expect(existsSync(join(root, "a/.wh..wh..opq"))).toBe(false);
    });

    test("has names by their bytes", async () => {
      const root = await unpack({ name: Buffer.from("\xff\n", "latin1") }, { name: "é" });
      const names = readdirSync(root, { encoding: "buffer" }).map((name) => name.toString("hex"));
      expect(names.sort()).toEqual([encodeName("é").toString("hex"), "ff0a"].sort());
    });

    test("nothing outside of it is touched", async () => {
      const victim = join(temporary.path, "victim");
      writeFileSync(victim, "secret");
      const before = lstatSync(victim, { bigint: true });
      const name = (path: string): RawMember => ({ name: path, content: "overwritten", mode: 0o777, uid: 1 });
      const root = await unpack(
        name("../victim"),
        link("l", temporary.path),
        name("l/victim"),
        link("up", ".."),
        name("up/victim"),
        link("self", victim),
        name("self"),
        d("x"),
        link("x", temporary.path),
        name("x/victim"),
        d("x"),
      );
      expect(lstatSync(victim, { bigint: true })).toEqual(before);
      expect(readFileSync(victim, "utf8")).toBe("secret");
      expect(readdirSync(temporary.path).sort()).toEqual(["blob", "dir", "index", "victim"]);
      expect(lstatSync(join(root, "self")).isFile()).toBe(true);
      expect(lstatSync(join(root, "x")).isDirectory()).toBe(true);
    });

    test("a later member does not write through a hard link", async () => {
      const root = await unpack({ name: "a", content: "first" }, hard("b", "a"), {
        name: "b",
        content: "second",
        mode: 0o777,
      });
      expect([readFileSync(join(root, "a"), "utf8"), lstatSync(join(root, "a")).mode & 0o777]).toEqual([
        "first",
        0o644,
      ]);
      expect(readFileSync(join(root, "b"), "utf8")).toBe("second");
    });

    test("a very deep path works", async () => {
      const path = "x/".repeat(1500);
      const root = await unpack(pax({ path: `${path}f` }), { content: "deep" });
      expect(readFileSync(join(root, path, "f"), "utf8")).toBe("deep");
    });
  },
);
