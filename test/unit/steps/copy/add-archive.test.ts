import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { openRootfsView } from "../../../../src/layer/rootfs-view.ts";
import { encodeTarHeader, paddingAfter, tarEnd } from "../../../../src/layer/tar-encoder.ts";
import { dir, file, hardlink, type LayerItem, special, symlink } from "../../../support/layer-builder.ts";
import { pax, rawTar } from "../../../support/raw-tar.ts";
import { useTemporaryDirectory } from "../../../support/temporary-directory.ts";
import { rejectionOf } from "../../../support/thrown-by.ts";
import { type ItemsAction, type PackedItems, packItems } from "./pack-items.ts";

const temporary = useTemporaryDirectory();
const at = (mtimeSeconds: number) => ({ mtimeSeconds });
const bzip2EmptyFile = Buffer.from("425a683917724538509000000000", "hex");

/** A tar with the items as they are, in their order; names may be anything. */
function tarOf(items: readonly LayerItem[], end: Readonly<Uint8Array> = tarEnd): Buffer {
  const parts = items.flatMap(({ row, content }) => {
    return [
      encodeTarHeader(row),
      content ?? Buffer.alloc(0),
      Buffer.alloc(content === null ? 0 : paddingAfter(row.size)),
    ];
  });
  return Buffer.concat([...parts, end]);
}

function add(archive: Buffer, parent: readonly LayerItem[] = [], action: ItemsAction = {}): Promise<PackedItems> {
  const source = [file("a.tar", archive, at(1))];
  const parents = parent.length === 0 ? [] : [parent];
  return packItems(temporary.path, source, parents, [{ paths: ["a.tar"], unpack: "auto", ...action }]);
}

interface Case {
  readonly name: string;
  readonly members: readonly LayerItem[];
  readonly parent?: readonly LayerItem[];
  readonly action?: ItemsAction;
  readonly lines: readonly string[];
}

/** What GNU tar --sparse makes of a file of 3000 bytes whose bytes from 2000 on are "data". */
const archiveWithHole = rawTar(
  pax({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "f", "GNU.sparse.realsize": "3000" }),
  { name: "GNUSparseFile.0/f", content: `${"1\n2000\n4\n".padEnd(512, "\0")}data` },
);

const cases: readonly Case[] = [
  {
    name: "names that lead out are clamped",
    members: [file("../../up", "", at(2)), file("/abs", "", at(2)), file("a/../../b", "", at(2))],
    lines: ["directory 755 0:0 now dst", "file 644 0:0 2 dst/abs", "file 644 0:0 2 dst/b", "file 644 0:0 2 dst/up"],
  },
  {
    name: "the entry of the top directory changes nothing",
    members: [dir("./", { mode: 0o700, ...at(9) }), file("./f", "", at(2))],
    lines: ["directory 755 0:0 now dst", "file 644 0:0 2 dst/f"],
  },
  {
    name: "--chown overrides the owners, implied directories stay root's",
    members: [file("no/entry", "", { uid: 5, gid: 6, ...at(2) })],
    action: { chown: "7:8", chmod: "0777", excludes: ["**"] },
    lines: ["directory 755 7:8 now dst", "directory 755 0:0 now dst/no", "file 644 7:8 2 dst/no/entry"],
  },
  {
    name: "directories get their mtimes when everything is in them",
    members: [dir("d", at(2)), dir("d/e", at(3)), file("d/e/f", "", at(4)), file("d/g", "", at(5))],
    lines: [
      "directory 755 0:0 now dst",
      "directory 755 0:0 2 dst/d",
      "directory 755 0:0 3 dst/d/e",
      "file 644 0:0 4 dst/d/e/f",
      "file 644 0:0 5 dst/d/g",
    ],
  },
  {
    name: "members are written in order of their names, whatever theirs was",
    members: [file("z", "1", at(2)), file("a/b", "2", at(2)), file("a.b", "3", at(2))],
    lines: [
      "directory 755 0:0 now dst",
      "directory 755 0:0 now dst/a",
      "file 644 0:0 2 dst/a/b",
      "file 644 0:0 2 dst/a.b",
      "file 644 0:0 2 dst/z",
    ],
  },
  {
    name: "the last of equal names counts",
    members: [file("f", "first", at(2)), symlink("f", "x", at(3)), file("f", "last", at(4))],
    lines: ["directory 755 0:0 now dst", "file 644 0:0 4 dst/f"],
  },
  {
    name: "members below a link land where it leads, seen from the destination",
    members: [
      symlink("abs", "/real", at(2)),
      file("abs/f", "", at(2)),
      symlink("up", "../../real", at(2)),
      file("up/g", "", at(2)),
    ],
    lines: [
      "directory 755 0:0 now dst",
      "symlink 777 0:0 2 dst/abs -> /real",
      "directory 755 0:0 now dst/real",
      "file 644 0:0 2 dst/real/f",
      "file 644 0:0 2 dst/real/g",
      "symlink 777 0:0 2 dst/up -> ../../real",
    ],
  },
  {
    name: "a path means what it leads to at its turn, though it led elsewhere before",
    members: [
      file("d/a", "", at(2)),
      symlink("d", "e", at(2)),
      file("d/b", "", at(2)),
      symlink("d", "g", at(2)),
      file("d/c", "", at(2)),
    ],
    lines: [
      "directory 755 0:0 now dst",
      "symlink 777 0:0 2 dst/d -> g",
      "directory 755 0:0 now dst/e",
      "file 644 0:0 2 dst/e/b",
      "directory 755 0:0 now dst/g",
      "file 644 0:0 2 dst/g/c",
    ],
  },
  {
    name: "links of the image are followed too",
    parent: [dir("run"), dir("var"), symlink("var/run", "/run")],
    members: [file("var/run/f", "", at(2))],
    action: { destination: "/" },
    lines: ["directory 755 0:0 now run", "file 644 0:0 2 run/f"],
  },
  {
    name: "a member over a link replaces the link",
    parent: [dir("dst", at(9)), file("dst/t", "old", at(9)), symlink("dst/l", "t", at(9))],
    members: [file("l", "new", at(2))],
    lines: ["directory 755 0:0 now dst", "file 644 0:0 2 dst/l"],
  },
  {
    name: "a directory that was a file and a directory before hides what the image had in it",
    parent: [
      dir("dst"),
      dir("dst/d"),
      file("dst/d/gone", ""),
      dir("dst/d/sub"),
      file("dst/d/sub/x", ""),
      file("dst/d/kept", "", at(9)),
    ],
    members: [file("d", "", at(2)), dir("d", at(3)), file("d/kept", "", at(9))],
    lines: [
      "directory 755 0:0 now dst",
      "directory 755 0:0 3 dst/d",
      "whiteout dst/d/gone",
      "file 644 0:0 9 dst/d/kept",
      "whiteout dst/d/sub",
    ],
  },
  {
    name: "hard links share the metadata of the last header",
    members: [file("f", "x", { mode: 0o600, ...at(2) }), hardlink("h", "f", { mode: 0o755, uid: 3, ...at(4) })],
    lines: ["directory 755 0:0 now dst", "file 755 3:0 4 dst/f", "hardlink 755 3:0 4 dst/h -> dst/f"],
  },
  {
    name: "a hard link before its target in order is the one with the content",
    members: [file("z", "x", at(2)), hardlink("a", "./z", at(2))],
    lines: ["directory 755 0:0 now dst", "file 644 0:0 2 dst/a", "hardlink 644 0:0 2 dst/z -> dst/a"],
  },
  {
    name: "a hard link to a link is another link",
    members: [symlink("s", "nowhere", at(2)), hardlink("h", "s", { uid: 4, ...at(3) })],
    lines: ["directory 755 0:0 now dst", "symlink 777 4:0 2 dst/h -> nowhere", "symlink 777 4:0 2 dst/s -> nowhere"],
  },
  {
    name: "a hard link to a file of the image is a copy of it",
    parent: [dir("dst", at(9)), file("dst/f", "image's", at(9))],
    members: [hardlink("h", "/f", at(3))],
    lines: ["directory 755 0:0 now dst", "file 644 0:0 3 dst/h"],
  },
  {
    name: "names of whiteouts are plain files",
    parent: [dir("dst", at(9)), file("dst/f", "", at(9))],
    members: [file(".wh.f", "", at(2)), file(".wh..wh..opq", "", at(2))],
    lines: ["directory 755 0:0 now dst", "file 644 0:0 2 dst/.wh..wh..opq", "file 644 0:0 2 dst/.wh.f"],
  },
  {
    name: "times before 1970 and after 2262 are 1970",
    members: [file("a", "", at(-5)), file("b", "", at(2 ** 40))],
    lines: ["directory 755 0:0 now dst", "file 644 0:0 0 dst/a", "file 644 0:0 0 dst/b"],
  },
  {
    name: "devices and fifos are made",
    members: [special("c", "char", at(2)), special("p", "fifo", at(2))],
    lines: ["directory 755 0:0 now dst", "char 644 0:0 2 dst/c", "fifo 644 0:0 2 dst/p"],
  },
];

describe("ADD unpacks", () => {
  test.each(cases)("$name", async ({ members, parent, action, lines }) => {
    expect((await add(tarOf(members), parent, action)).lines).toEqual(lines);
  });

  test("contents from wherever they lie in the archive", async () => {
    const packed = await add(gzipSync(tarOf([file("z", "last by name"), file("a", "first"), hardlink("m", "z")])));
    expect(packed.contentOf("dst/a")).toBe("first");
    expect(packed.contentOf("dst/m")).toBe("last by name");
    const view = openRootfsView([packed.location]);
    expect(view.lstat("dst/z")?.inode).toBe(view.lstat("dst/m")?.inode);
  });

  test.each([
    ["plain", archiveWithHole],
    ["in gzip", gzipSync(archiveWithHole)],
  ])("files with holes, %s", async (_, archive) => {
    const packed = await add(archive);
    expect(packed.contentOf("dst/f")).toBe(`${"\0".repeat(2000)}data${"\0".repeat(996)}`);
  });

  test("several archives and files in one instruction", async () => {
    const source = [
      file("a.tar", tarOf([file("f", "a", at(2))])),
      file("b.tar", tarOf([file("f", "bb", at(3))])),
      file("c", "plain", at(4)),
    ];
    const packed = await packItems(temporary.path, source, [], [{ paths: ["*"], unpack: "auto" }]);
    expect(packed.lines).toEqual(["directory 755 0:0 now dst", "file 644 0:0 4 dst/c", "file 644 0:0 3 dst/f"]);
    expect(packed.contentOf("dst/f")).toBe("bb");
  });

  test("two thousand directories inside each other", async () => {
    const members = Array.from({ length: 2000 }, (_, index) => dir(`a${"/a".repeat(index)}`, at(index)));
    const packed = await add(tarOf(members));
    expect(packed.rows).toHaveLength(2001);
    expect(packed.lines.at(-1)).toBe(`directory 755 0:0 1999 dst${"/a".repeat(2000)}`);
  });

  test("an archive without an end mark, and not what stands behind one", async () => {
    const members = [file("f", "", at(2))];
    const garbage = Buffer.concat([tarOf(members), Buffer.alloc(1 << 20, "x")]);
    for (const [index, archive] of [tarOf(members, Buffer.alloc(0)), garbage, gzipSync(garbage)].entries()) {
      const source = [file("a.tar", archive)];
      const packed = await packItems(
        join(temporary.path, String(index)),
        source,
        [],
        [{ paths: ["a.tar"], unpack: "auto" }],
      );
      expect(packed.lines).toEqual(["directory 755 0:0 now dst", "file 644 0:0 2 dst/f"]);
    }
  });
});

test("ADD refuses an archive whose map of holes is damaged", async () => {
  const damaged = Buffer.from(archiveWithHole);
  damaged.write("9", damaged.indexOf("1\n2000"));
  expect(await rejectionOf(add(damaged))).toMatchObject({ code: "ADD_ARCHIVE_INVALID" });
});

describe("ADD copies as a file", () => {
  test.each([
    ["an empty file", Buffer.alloc(0)],
    ["zero blocks", Buffer.alloc(10240)],
    ["zero blocks in gzip", gzipSync(Buffer.alloc(1 << 20))],
    ["text", Buffer.from("text\n".repeat(1000))],
    ["gzip of text", gzipSync("text\n".repeat(1000))],
    ["gzip that is cut off in the first header", gzipSync(tarOf([file("f", "")])).subarray(0, 20)],
    ["bzip2 of nothing", bzip2EmptyFile],
    ["what only begins like xz", Buffer.from("fd377a585a00ffffffff", "hex")],
    ["what only begins like zstd", Buffer.from("28b52ffd00000000", "hex")],
    [
      "a tar whose first header has a wrong checksum",
      Buffer.concat([Buffer.alloc(1, "x"), tarOf([file("f", "")]).subarray(1)]),
    ],
  ])("%s", async (_, content) => {
    const packed = await add(content);
    expect(packed.lines).toEqual(["directory 755 0:0 now dst", "file 644 0:0 1 dst/a.tar"]);
    expect(packed.rows[1]?.size).toBe(content.length);
  });

  test("an archive with --unpack=false, and one that COPY copies", async () => {
    const packed = await add(tarOf([file("f", "")]), [], { unpack: "never" });
    expect(packed.lines).toEqual(["directory 755 0:0 now dst", "file 644 0:0 1 dst/a.tar"]);
  });
});

describe("ADD refuses", () => {
  const long = "n".repeat(256);
  test.each([
    [
      "an archive that is cut off behind a member",
      tarOf([file("f", ""), file("g", "x".repeat(600))]).subarray(0, 1300),
    ],
    ["a hard link to what is not there", tarOf([hardlink("h", "none")])],
    ["a hard link to itself", tarOf([file("h", ""), hardlink("h", "h")])],
    ["a hard link to a directory", tarOf([dir("d"), hardlink("h", "d")])],
    ["a file as the top directory", tarOf([file("ok", ""), file("..", "")])],
    ["a name of 256 bytes", tarOf([file("ok", ""), file(long, "")])],
    ["a path of more than 4095 bytes", tarOf([file("ok", ""), file("a/".repeat(2100), "")])],
    [
      "damaged gzip",
      Buffer.concat([gzipSync(tarOf([file("f", "x".repeat(1 << 20))])).subarray(0, 700), Buffer.alloc(300, 1)]),
    ],
  ])("%s", async (_, archive) => {
    await expect(add(archive)).rejects.toMatchObject({
      code: "ADD_ARCHIVE_INVALID",
      message: expect.stringContaining('archive "/a.tar": '),
    });
  });

  test("a member below a file", async () => {
    const archive = tarOf([file("f", ""), file("f/x", "")]);
    await expect(add(archive)).rejects.toMatchObject({ code: "COPY_CONFLICT" });
  });

  test("a destination that is a file", async () => {
    const archive = tarOf([file("f", "")]);
    await expect(add(archive, [file("dst", "")])).rejects.toMatchObject({ code: "COPY_CONFLICT" });
  });
});
