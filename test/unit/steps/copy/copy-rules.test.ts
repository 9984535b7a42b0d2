import { describe, expect, test } from "vitest";
import { dir, file, hardlink, type LayerItem, special, symlink } from "../../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../../support/temporary-directory.ts";
import { type ItemsAction, packItems } from "./pack-items.ts";

const temporary = useTemporaryDirectory();
const at = (mtimeSeconds: number) => ({ mtimeSeconds });

interface Case {
  readonly name: string;
  readonly source: readonly LayerItem[];
  readonly parent?: readonly LayerItem[];
  readonly actions: readonly ItemsAction[];
  readonly lines: readonly string[];
}

const cases: readonly Case[] = [
  {
    name: "several sources to a name that is no directory overwrite each other",
    source: [file("a", "A", at(1)), file("b", "B", at(2))],
    actions: [{ paths: ["a", "b"], destination: "/x" }],
    lines: ["file 644 0:0 2 x"],
  },
  {
    name: "a later action overwrites an earlier one",
    source: [file("a", "A", at(1))],
    actions: [
      { paths: ["a"], destination: "/x" },
      { inline: { name: "x", content: "later" }, destination: "/" },
    ],
    lines: ["file 644 0:0 now x"],
  },
  {
    name: "a file into an existing directory without a slash",
    source: [file("a", "A", at(1))],
    parent: [dir("d", at(5))],
    actions: [{ paths: ["a"], destination: "/d" }],
    lines: ["directory 755 0:0 now d", "file 644 0:0 1 d/a"],
  },
  {
    name: "a trailing /. makes the destination a directory",
    source: [file("a", "A", at(1))],
    actions: [{ paths: ["a"], destination: "/d/." }],
    lines: ["directory 755 0:0 now d", "file 644 0:0 1 d/a"],
  },
  {
    name: "a directory's content takes its mtime to an existing directory, which keeps mode and owner",
    source: [dir("s", { mode: 0o700, uid: 9, gid: 9, ...at(7) }), file("s/f", "", at(1))],
    parent: [dir("d", { mode: 0o711, uid: 5, gid: 6, ...at(5) })],
    actions: [{ paths: ["s"], destination: "/d" }],
    lines: ["directory 711 5:6 7 d", "file 644 0:0 1 d/f"],
  },
  {
    name: "an existing directory that only gets another mtime is left out",
    source: [dir("s", at(7))],
    parent: [dir("d", at(5))],
    actions: [{ paths: ["s"], destination: "/d" }],
    lines: [],
  },
  {
    name: "a nested directory takes mode and owner of the source",
    source: [dir("s/n", { mode: 0o700, uid: 9, gid: 8, ...at(7) })],
    parent: [dir("d", at(5)), dir("d/n", at(5)), file("d/n/keep", "", at(5))],
    actions: [{ paths: ["s"], destination: "/d" }],
    lines: ["directory 755 0:0 0 d", "directory 700 9:8 7 d/n"],
  },
  {
    name: "what the parent has already is left out",
    source: [
      dir("s", at(7)),
      file("s/same", "x", at(1)),
      file("s/other", "y", at(1)),
      symlink("s/link", "same", at(1)),
    ],
    parent: [
      dir("d", at(5)),
      file("d/same", "x", at(1)),
      file("d/other", "x", at(1)),
      symlink("d/link", "same", at(1)),
    ],
    actions: [{ paths: ["s"], destination: "/d" }],
    lines: ["directory 755 0:0 7 d", "file 644 0:0 1 d/other"],
  },
  {
    name: "mode, owner and mtime alone make a difference",
    source: [file("m", "x", { mode: 0o600, ...at(1) }), file("o", "x", { uid: 7, ...at(1) }), file("t", "x", at(2))],
    parent: [file("m", "x", at(1)), file("o", "x", at(1)), file("t", "x", at(1))],
    actions: [{ paths: ["m", "o", "t"], destination: "/" }],
    lines: ["file 600 0:0 1 m", "file 644 7:0 1 o", "file 644 0:0 2 t"],
  },
  {
    name: "a heredoc is new even if the same bytes are there",
    source: [],
    parent: [file("x", "same", at(1_900_000_000))],
    actions: [{ inline: { name: "x", content: "same" }, destination: "/x" }],
    lines: ["file 644 0:0 now x"],
  },
  {
    name: "a file replaces a link, a link replaces a file, without whiteouts",
    source: [file("s/a", "A", at(1)), symlink("s/b", "a", at(1))],
    parent: [dir("d", at(5)), symlink("d/a", "gone", at(1)), file("d/b", "", at(1))],
    actions: [{ paths: ["s"], destination: "/d" }],
    lines: ["directory 755 0:0 0 d", "file 644 0:0 1 d/a", "symlink 777 0:0 1 d/b -> a"],
  },
  {
    name: "hard links of one source stay links, the first name in order has the content",
    source: [file("s/b/x", "x", at(1)), hardlink("s/c", "s/b/x", at(1)), hardlink("s/d", "s/b/x", at(1))],
    actions: [{ paths: ["s"], destination: "/d" }],
    lines: [
      "directory 755 0:0 0 d",
      "directory 755 0:0 0 d/b",
      "file 644 0:0 1 d/b/x",
      "hardlink 644 0:0 1 d/c -> d/b/x",
      "hardlink 644 0:0 1 d/d -> d/b/x",
    ],
  },
  {
    name: "hard links are all written if one of them is in a new directory, and the other what the parent has",
    source: [dir("s", at(7)), dir("s/n", at(7)), file("s/n/y", "x", at(1)), hardlink("s/x", "s/n/y", at(1))],
    parent: [dir("d", at(5)), file("d/x", "x", at(1))],
    actions: [{ paths: ["s"], destination: "/d" }],
    lines: [
      "directory 755 0:0 7 d",
      "directory 755 0:0 7 d/n",
      "file 644 0:0 1 d/n/y",
      "hardlink 644 0:0 1 d/x -> d/n/y",
    ],
  },
  {
    name: "a file put into a directory that was copied before",
    source: [dir("s", at(7)), dir("s/n", at(6)), file("s/n/f", "", at(1)), file("x", "", at(2))],
    actions: [
      { paths: ["s"], destination: "/d" },
      { paths: ["x"], destination: "/d/n/" },
    ],
    lines: ["directory 755 0:0 7 d", "directory 755 0:0 now d/n", "file 644 0:0 1 d/n/f", "file 644 0:0 2 d/n/x"],
  },
  {
    name: "directories of two sources in one place become one with the attributes of the second",
    source: [
      ...[
        dir("s", at(7)),
        dir("s/n", at(6)),
        dir("s/n/m", at(5)),
        file("s/n/f", "", at(1)),
        file("s/n/m/a", "", at(1)),
      ],
      ...[dir("t", at(4)), dir("t/n", { mode: 0o700, ...at(3) }), dir("t/n/m", at(2)), file("t/n/m/b", "", at(1))],
    ],
    actions: [
      { paths: ["s"], destination: "/d" },
      { paths: ["t"], destination: "/d" },
    ],
    lines: [
      "directory 755 0:0 4 d",
      "directory 700 0:0 3 d/n",
      "file 644 0:0 1 d/n/f",
      "directory 755 0:0 2 d/n/m",
      "file 644 0:0 1 d/n/m/a",
      "file 644 0:0 1 d/n/m/b",
    ],
  },
  {
    name: "hard links of different sources do not",
    source: [file("a", "x", at(1)), hardlink("b", "a", at(1))],
    actions: [{ paths: ["a", "b"], destination: "/d/" }],
    lines: ["directory 755 0:0 now d", "file 644 0:0 1 d/a", "file 644 0:0 1 d/b"],
  },
  {
    name: "a link whose first name was overwritten moves its content to the second",
    source: [file("s/a", "x", at(1)), hardlink("s/b", "s/a", at(1)), file("other", "o", at(2))],
    actions: [
      { paths: ["s"], destination: "/d" },
      { paths: ["other"], destination: "/d/a" },
    ],
    lines: ["directory 755 0:0 now d", "file 644 0:0 2 d/a", "file 644 0:0 1 d/b"],
  },
  {
    name: "devices and fifos of a stage are copied",
    source: [special("s/c", "char", at(1)), special("s/p", "fifo", at(1)), special("s/b", "block", at(1))],
    actions: [{ paths: ["s"], destination: "/d" }],
    lines: ["directory 755 0:0 0 d", "block 644 0:0 1 d/b", "char 644 0:0 1 d/c", "fifo 644 0:0 1 d/p"],
  },
  {
    name: "new directories inherit group and setgid bit, as mkdir does it",
    source: [file("f", "", at(1))],
    parent: [dir("d", { mode: 0o2775, uid: 3, gid: 50, ...at(5) })],
    actions: [{ paths: ["f"], destination: "/d/new/" }],
    lines: ["directory 2775 3:50 now d", "directory 2755 0:50 now d/new", "file 644 0:0 1 d/new/f"],
  },
  {
    name: "an excluded directory with an exception in it is made with the source's attributes",
    source: [dir("s/t", { mode: 0o750, ...at(3) }), file("s/t/drop", ""), file("s/t/keep", "", at(1))],
    actions: [{ paths: ["s"], destination: "/d", excludes: ["t", "!t/keep"] }],
    lines: ["directory 755 0:0 0 d", "directory 750 0:0 now d/t", "file 644 0:0 1 d/t/keep"],
  },
  {
    name: "a file named as a source is never excluded",
    source: [file("a.txt", "", at(1)), file("b.txt", "", at(1))],
    actions: [{ paths: ["a.txt", "b*"], destination: "/", excludes: ["*.txt"] }],
    lines: ["file 644 0:0 1 a.txt", "file 644 0:0 1 b.txt"],
  },
  {
    name: "--parents keeps the path behind the pivot",
    source: [
      dir("x/a", { mode: 0o750, ...at(3) }),
      dir("x/a/b", at(4)),
      file("x/a/b/f", "", at(1)),
      file("x/a/no", ""),
    ],
    actions: [{ paths: ["x/./a/b/f"], parents: true }],
    lines: [
      "directory 755 0:0 0 dst",
      "directory 750 0:0 now dst/a",
      "directory 755 0:0 now dst/a/b",
      "file 644 0:0 1 dst/a/b/f",
    ],
  },
  {
    name: "--parents of a directory takes all of it and its mtime",
    source: [dir("a", at(3)), dir("a/b", at(4)), file("a/b/f", "", at(1)), file("a/no", "")],
    actions: [{ paths: ["a/b"], parents: true }],
    lines: [
      "directory 755 0:0 now dst",
      "directory 755 0:0 now dst/a",
      "directory 755 0:0 4 dst/a/b",
      "file 644 0:0 1 dst/a/b/f",
    ],
  },
  {
    name: "--parents with a pivot and wildcards in front of it",
    source: [file("p1/src/a.c", "", at(1)), file("p2/src/b.c", "", at(1)), file("p2/src/b.h", "")],
    actions: [{ paths: ["p*/./src/*.c"], parents: true }],
    lines: [
      "directory 755 0:0 0 dst",
      "directory 755 0:0 now dst/src",
      "file 644 0:0 1 dst/src/a.c",
      "file 644 0:0 1 dst/src/b.c",
    ],
  },
  {
    name: "--parents of everything",
    source: [dir("a", at(3)), file("a/f", "", at(1))],
    actions: [{ paths: ["."], parents: true }],
    lines: ["directory 755 0:0 now dst", "directory 755 0:0 3 dst/a", "file 644 0:0 1 dst/a/f"],
  },
  {
    name: "--parents with wildcards that match nothing only makes the destination",
    source: [file("a", "")],
    actions: [{ paths: ["*/none"], parents: true }],
    lines: ["directory 755 0:0 now dst"],
  },
  {
    name: "links in front of a wildcard are followed, links among the wildcards are not",
    source: [
      dir("real"),
      dir("real/in"),
      file("real/in/f", "", at(1)),
      symlink("link", "real"),
      symlink("real/l", "in"),
    ],
    actions: [{ paths: ["link/*/f"] }],
    lines: ["directory 755 0:0 now dst", "file 644 0:0 1 dst/f"],
  },
  {
    name: "a link that a wildcard matches is followed and keeps its name",
    source: [file("f", "", at(1)), symlink("l1", "f")],
    actions: [{ paths: ["l*"] }],
    lines: ["directory 755 0:0 now dst", "file 644 0:0 1 dst/l1"],
  },
  {
    name: "a file capability of a stage is kept, other attributes are not",
    source: [
      file("f", "", { ...at(1), xattrs: { "security.capability": "AQAAAgAgAAAAAAAAAAAAAAAAAAA=", "user.x": "eA==" } }),
    ],
    actions: [{ paths: ["f"], destination: "/f" }],
    lines: ["file 644 0:0 1 f"],
  },
  {
    name: "names that are not UTF-8 stay what they are, in byte order",
    source: [
      file("s/\udcff", "", at(1)),
      file("s/é", "", at(1)),
      file("s/\u{1f600}", "", at(1)),
      file("s/\uff00", "", at(1)),
    ],
    actions: [{ paths: ["s"], destination: "/d" }],
    lines: [
      "directory 755 0:0 0 d",
      "file 644 0:0 1 d/é",
      "file 644 0:0 1 d/\uff00",
      "file 644 0:0 1 d/\u{1f600}",
      "file 644 0:0 1 d/\udcff",
    ],
  },
];

describe("packCopy", () => {
  test.each(cases)("$name", async ({ source, parent, actions, lines }) => {
    const packed = await packItems(temporary.path, source, parent === undefined ? [] : [parent], actions);
    expect(packed.lines).toEqual(lines);
  });

  test("keeps only the capability among the extended attributes", async () => {
    const capability = "AQAAAgAgAAAAAAAAAAAAAAAAAAA=";
    const xattrs = { "security.capability": capability, "user.x": "eA==" };
    const { rows } = await packItems(
      temporary.path,
      [file("f", "", { xattrs })],
      [],
      [{ paths: ["f"], destination: "/" }],
    );
    expect(rows.map((row) => row.xattrs)).toEqual([{ "security.capability": capability }]);
  });

  test("gives the same bytes for the same input", async () => {
    const source = [file("s/a", "x"), hardlink("s/b", "s/a"), symlink("s/l", "a")];
    const actions = [{ paths: ["s"] }, { inline: { name: "h", content: "here" } }];
    const roots = ["one", "two"].map((name) => `${temporary.path}/${name}`);
    const packed = await Promise.all(roots.map((root) => packItems(root, source, [], actions)));
    expect(packed[0]?.location.diffId).toBe(packed[1]?.location.diffId);
    expect(packed[0]?.contentOf("dst/h")).toBe("here");
  });

  test.each([
    {
      name: "a file where a directory has to be made",
      paths: ["f"],
      destination: "/file/x",
      parent: [file("file", "")],
    },
    { name: "a file as a destination with a slash", paths: ["f"], destination: "/file/", parent: [file("file", "")] },
    { name: "a directory onto a file", paths: ["d"], destination: "/file", parent: [file("file", "")] },
    { name: "a nested directory onto a file", paths: ["d"], destination: "/", parent: [file("n", "")] },
    { name: "a nested directory onto a link", paths: ["d"], destination: "/", parent: [dir("x"), symlink("n", "x")] },
    { name: "a file onto a nested directory", paths: ["d"], destination: "/", parent: [dir("g")] },
  ])("refuses $name", async ({ paths, destination, parent }) => {
    const source = [file("f", ""), dir("d"), dir("d/n"), file("d/g", "")];
    const packing = packItems(temporary.path, source, [parent], [{ paths, destination }]);
    await expect(packing).rejects.toMatchObject({ code: "COPY_CONFLICT" });
  });

  test.each([
    ["a named owner without a file system", { chown: "user" }, "DOCKERFILE_BAD_ARGUMENT"],
    ["a malformed wildcard", { paths: ["[a"] }, "DOCKERFILE_BAD_ARGUMENT"],
    ["a malformed exclude", { excludes: ["[a"] }, "CONTEXT_IGNORE_INVALID"],
    ["a link that leads to itself", { paths: ["loop"] }, "CONTEXT_INVALID"],
    ["--parents through a linked directory", { paths: ["link/f"], parents: true }, "CONTEXT_PATH_NOT_FOUND"],
    ["--parents of what does not exist", { paths: ["d/./none"], parents: true }, "CONTEXT_PATH_NOT_FOUND"],
    ["a wildcard in a directory that does not exist", { paths: ["none/*"] }, "CONTEXT_PATH_NOT_FOUND"],
    ["a path through a file", { paths: ["d/f/x"] }, "CONTEXT_PATH_NOT_FOUND"],
  ] as const)("refuses %s", async (_, action, code) => {
    const source = [dir("d"), file("d/f", ""), symlink("link", "d"), symlink("loop", "loop")];
    await expect(packItems(temporary.path, source, [], [action])).rejects.toMatchObject({ code });
  });
});
