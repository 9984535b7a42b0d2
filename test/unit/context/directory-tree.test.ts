import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import { isBuildError } from "../../../src/base/errors.ts";
import { type DirectoryTree, openDirectoryTree, openFoundDirectoryTree } from "../../../src/context/directory-tree.ts";
import { parseIgnoreFile } from "../../../src/context/ignore-file.ts";
import type { DirectorySpec } from "../../../src/context/tree-spec.ts";
import type { Entry } from "../../../src/layer/entry.ts";
import { readAll } from "../../../src/layer/file-readers.ts";
import type { FileTree } from "../../../src/layer/file-tree.ts";
import { resolveInTree } from "../../../src/layer/resolve-path.ts";

let area: string;
let root: string;

beforeEach(() => {
  area = mkdtempSync(join(tmpdir(), "tsbuild-context-"));
  root = join(area, "context");
  mkdirSync(root);
});

afterEach(() => rmSync(area, { recursive: true, force: true }));

/** Writes files by their paths below the context. */
function fill(files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

const specWith = (ignore: string): DirectorySpec => ({
  kind: "directory",
  root,
  ignore: parseIgnoreFile(Buffer.from(ignore), ".dockerignore"),
  ignoreFile: null,
  statCache: null,
});

const open = (ignore = ""): DirectoryTree => openDirectoryTree(specWith(ignore));

function pathsOf(tree: FileTree, path = ""): readonly string[] {
  return tree.list(path).flatMap((entry) => [entry.path, ...pathsOf(tree, entry.path)]);
}

function entryAt(tree: FileTree, path: string): Entry {
  const entry = tree.lstat(path);
  if (entry === null) throw new Error(`no ${path}`);
  return entry;
}

const contentOf = (tree: FileTree, path: string): string => readAll(tree.open(entryAt(tree, path)), 1 << 20).toString();

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isBuildError(error)) return error.code;
    throw error;
  }
  return "nothing was thrown";
}

describe("what a directory shows", () => {
  test("files, folders and links, sorted by their bytes, owned by root", () => {
    fill({ "b/f": "content", "a.b": "", "a/x": "1", A: "" });
    symlinkSync("../outside", join(root, "link"));
    chmodSync(join(root, "b/f"), 0o4755);
    utimesSync(join(root, "b/f"), 0, new Date(-1_500));
    const tree = open();
    expect(pathsOf(tree)).toEqual(["A", "a", "a/x", "a.b", "b", "b/f", "link"]);
    expect(tree.lstat("b/f")).toEqual({
      path: "b/f",
      type: "file",
      mode: 0o4755,
      uid: 0,
      gid: 0,
      mtimeSeconds: -2,
      mtimeNanos: 500_000_000,
      xattrs: null,
      size: 7,
      target: null,
      device: null,
      inode: null,
    });
    expect(tree.lstat("link")).toMatchObject({ type: "symlink", target: "../outside", mode: 0o777, size: 0 });
    expect(tree.lstat("")).toMatchObject({ path: "", type: "directory", uid: 0 });
    expect(contentOf(tree, "b/f")).toBe("content");
    expect(tree.digest(entryAt(tree, "b/f"))).toBe(digestOf("content"));
  });

  test.each(["missing", "f/below", "d/", "/d", "d//f", "../context", ".", "d/../d", "D"])("nothing at %j", (path) => {
    fill({ f: "", "d/f": "" });
    expect(open().lstat(path)).toBeNull();
  });

  test("nothing in what is no directory", () => {
    fill({ f: "" });
    symlinkSync(".", join(root, "l"));
    expect(open().list("f")).toEqual([]);
    expect(open().list("l")).toEqual([]);
    expect(open().list("missing/x")).toEqual([]);
    expect(open().lstat("l/f")).toBeNull();
  });

  test("names are bytes", () => {
    const names = Array.from({ length: 256 }, (_, byte) => byte)
      .filter((byte) => byte !== 0 && byte !== 0x2f && byte !== 0x2e)
      .map((byte) => Buffer.from([byte]));
    for (const name of [...names, Buffer.from("\ufffd"), Buffer.from([0x61, 0xff, 0xc3])])
      writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), name);
    const tree = open();
    expect(tree.list("")).toHaveLength(names.length + 2);
    for (const name of ["\udcff", "\ufffd", "a\udcff\udcc3", "\\", "\n"]) expect(tree.lstat(name)?.path).toBe(name);
    expect(tree.lstat("\u00ff")).toBeNull();
    const odd = entryAt(tree, "a\udcff\udcc3");
    expect(readAll(tree.open(odd), 10)).toEqual(Buffer.from([0x61, 0xff, 0xc3]));
  });

  test("names of members of Object are only names", () => {
    fill({ __proto__x: "", "constructor/toString": "1" });
    writeFileSync(join(root, "__proto__"), "p");
    expect(contentOf(open(), "__proto__")).toBe("p");
    expect(contentOf(open(), "constructor/toString")).toBe("1");
    expect(open().lstat("hasOwnProperty")).toBeNull();
  });

  test("names of one file are a group, others are not", () => {
    fill({ a: "x", c: "y" });
    linkSync(join(root, "a"), join(root, "b"));
    const [a, b, c] = open().list("");
    expect(a?.inode).not.toBeNull();
    expect(b?.inode).toBe(a?.inode);
    expect(c?.inode).toBeNull();
  });

  test("a socket is an empty file, a fifo is a fifo; neither is opened", async () => {
    const server = createServer().listen(join(root, "socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      execFileSync("mkfifo", [join(root, "fifo")]);
      const tree = open();
      const socket = entryAt(tree, "socket");
      expect(socket).toMatchObject({ type: "file", size: 0 });
      expect(readAll(tree.open(socket), 10)).toHaveLength(0);
      expect(tree.digest(socket)).toBe(digestOf(""));
      expect(tree.filesRead).toBe(0);
      expect(tree.lstat("fifo")).toMatchObject({ type: "fifo", size: 0 });
      expect(codeOf(() => tree.open(entryAt(tree, "fifo")))).toBe("CONTEXT_FILE_CHANGED");
    } finally {
      server.close();
    }
  });

  test("devices have their numbers", () => {
    const tree = openDirectoryTree({ kind: "directory", root: "/dev", ignore: [], ignoreFile: null, statCache: null });
    expect(tree.lstat("null")).toMatchObject({ type: "char", device: { major: 1, minor: 3 }, size: 0 });
  });

  test("a sparse file of a terabyte has its size", () => {
    fill({ big: "" });
    truncateSync(join(root, "big"), 2 ** 40);
    expect(entryAt(open(), "big").size).toBe(2 ** 40);
  });

  test("a root behind a symlink, and one that is no directory", () => {
    fill({ f: "1" });
    symlinkSync("context", join(area, "link"));
    const at = (name: string): DirectoryTree =>
      openDirectoryTree({ kind: "directory", root: join(area, name), ignore: [], ignoreFile: null, statCache: null });
    expect(contentOf(at("link"), "f")).toBe("1");
    expect(codeOf(() => at("context/f"))).toBe("CONTEXT_NOT_FOUND");
    expect(codeOf(() => at("missing"))).toBe("CONTEXT_NOT_FOUND");
  });

  test.skipIf(process.getuid?.() !== 0)("what cannot be read is named (needs root to become another user)", () => {
    fill({ "locked/f": "", secret: "x" });
    chmodSync(area, 0o755);
    chmodSync(join(root, "secret"), 0);
    chmodSync(join(root, "locked"), 0);
    const tree = open();
    process.seteuid?.(65_534);
    try {
      expect(() => tree.open(entryAt(tree, "secret"))).toThrow(/"secret": permission denied/);
      expect(codeOf(() => tree.list("locked"))).toBe("CONTEXT_INVALID");
      expect(pathsOf(open("locked\nsecret"))).toEqual([]);
    } finally {
      process.seteuid?.(0);
    }
  });
});

describe("what is ignored", () => {
  const files = { a: "", "x.log": "", "d/y.log": "", "d/s/n": "", "keep/in/f": "", "drop/g": "", "drop/deep/er/h": "" };

  test.each<[string, readonly string[]]>([
    [
      "",
      [
        "a",
        "d",
        "d/s",
        "d/s/n",
        "d/y.log",
        "drop",
        "drop/deep",
        "drop/deep/er",
        "drop/deep/er/h",
        "drop/g",
        "keep",
        "keep/in",
        "keep/in/f",
        "x.log",
      ],
    ],
    ["drop\nkeep\n*.log\nd/s", ["a", "d", "d/y.log"]],
    ["**/*.log\nd*\nkeep", ["a"]],
    ["*\n!keep", ["keep", "keep/in", "keep/in/f"]],
    ["*\n!keep/in/f", ["keep", "keep/in", "keep/in/f"]],
    ["*\n!keep/missing", []],
    ["*\n!**/h", ["drop", "drop/deep", "drop/deep/er", "drop/deep/er/h"]],
    ["*\n!drop\ndrop/deep", ["drop", "drop/g"]],
    ["*\n!drop\ndrop/deep\n!drop/deep/er/h", ["drop", "drop/deep", "drop/deep/er", "drop/deep/er/h", "drop/g"]],
    ["**", []],
  ])("%j leaves %j", (ignore, want) => {
    fill(files);
    expect(pathsOf(open(ignore))).toEqual(want);
    // Asked the other way around: by path, before anything was listed.
    for (const path of want) expect(open(ignore).lstat(path)?.path).toBe(path);
    expect(open(ignore).lstat("drop/g") !== null).toBe(want.includes("drop/g"));
    expect(open(ignore).lstat("keep") !== null).toBe(want.includes("keep"));
  });

  test("no other spelling reaches it", () => {
    fill({ secret: "token", "d/secret": "token", "d/f": "" });
    linkSync(join(root, "secret"), join(root, "d/other-name"));
    symlinkSync("secret", join(root, "to-secret"));
    const tree = open("secret\nd/secret");
    for (const path of ["secret", "./secret", "/secret", "secret/", "d/../secret", "d//secret", "d/secret"])
      expect(tree.lstat(path)).toBeNull();
    expect(tree.lstat(resolveInTree(tree, "to-secret", "all"))).toBeNull();
    expect(tree.lstat("d/other-name")).not.toBeNull();
  });

  test("an ignored folder is not even looked into", () => {
    fill({ "locked/f": "", a: "" });
    const looped = join(root, "locked/f");
    rmSync(looped);
    symlinkSync("f", looped);
    expect(pathsOf(open("locked"))).toEqual(["a"]);
  });
});

describe("links that lead out", () => {
  beforeEach(() => {
    mkdirSync(join(area, "victim"));
    writeFileSync(join(area, "victim/hello"), "token");
  });

  test("are links, and nothing lies behind them", () => {
    fill({ "sub/f": "" });
    symlinkSync(join(area, "victim/hello"), join(root, "foo"));
    symlinkSync("../../victim/hello", join(root, "sub/bar"));
    symlinkSync(join(area, "victim"), join(root, "d"));
    const tree = open();
    expect(tree.lstat("foo")).toMatchObject({ type: "symlink" });
    expect(tree.lstat("d/hello")).toBeNull();
    for (const path of ["foo", "sub/bar", "d/hello"]) {
      const resolved = tree.lstat(resolveInTree(tree, path, "all"));
      expect(resolved).toBeNull();
    }
  });

  test("a folder that becomes a link after it was listed is not followed", () => {
    fill({ "d/hello": "inside" });
    const tree = open();
    const entry = entryAt(tree, "d/hello");
    renameSync(join(root, "d"), join(root, "was-d"));
    symlinkSync(join(area, "victim"), join(root, "d"));
    expect(codeOf(() => tree.open(entry))).toBe("CONTEXT_FILE_CHANGED");
    expect(codeOf(() => tree.digest(entry))).toBe("CONTEXT_FILE_CHANGED");
  });

  test("a folder that becomes a link before it is listed shows nothing", () => {
    fill({ "d/hello": "inside" });
    const tree = open();
    expect(tree.lstat("d")).toMatchObject({ type: "directory" });
    rmSync(join(root, "d"), { recursive: true });
    symlinkSync(join(area, "victim"), join(root, "d"));
    expect(tree.list("d")).toEqual([]);
  });

  test("a file that becomes a link is not followed, even to a file of the same size", () => {
    fill({ hello: "mine!" });
    const tree = open();
    const entry = entryAt(tree, "hello");
    rmSync(join(root, "hello"));
    symlinkSync(join(area, "victim/hello"), join(root, "hello"));
    expect(codeOf(() => tree.open(entry))).toBe("CONTEXT_FILE_CHANGED");
  });

  test("a process that swaps a folder for a link all the time gets no token out", () => {
    fill({ "d/hello": "inside" });
    mkdirSync(join(area, "spare"));
    symlinkSync(join(area, "victim"), join(area, "evil"));
    const seen = new Set<string>();
    for (let round = 0; round < 400; round += 1) {
      const tree = open();
      const step = round % 4;
      const swap = (): void => {
        renameSync(join(root, "d"), join(area, "spare/d"));
        renameSync(join(area, "evil"), join(root, "d"));
      };
      const back = (): void => {
        renameSync(join(root, "d"), join(area, "evil"));
        renameSync(join(area, "spare/d"), join(root, "d"));
      };
      try {
        if (step === 0) swap();
        tree.lstat("d");
        if (step === 1) swap();
        const entry = tree.lstat("d/hello");
        if (step === 2) swap();
        const reader = entry === null ? null : tree.open(entry);
        if (step === 3) swap();
        seen.add(reader === null ? "absent" : readAll(reader, 100).toString());
      } catch (error) {
        if (!isBuildError(error)) throw error;
        seen.add(error.code);
      }
      back();
    }
    expect([...seen].sort()).toEqual(["CONTEXT_FILE_CHANGED", "absent", "inside"]);
  });
});

describe("a file that changes while it is read", () => {
  const replaceFile = (make: () => void): void => {
    rmSync(join(root, "f"));
    make();
  };

  test.each<[string, () => void]>([
    ["grows", () => appendFileSync(join(root, "f"), "more")],
    ["shrinks", () => truncateSync(join(root, "f"), 1)],
    ["is replaced", () => replaceFile(() => writeFileSync(join(root, "f"), "other!!"))],
    ["is removed", () => rmSync(join(root, "f"))],
    ["becomes a fifo", () => replaceFile(() => execFileSync("mkfifo", [join(root, "f")]))],
    ["becomes a folder", () => replaceFile(() => mkdirSync(join(root, "f")))],
  ])("before it is opened: %s", (_, change) => {
    fill({ f: "content" });
    const tree = open();
    const entry = entryAt(tree, "f");
    change();
    expect(codeOf(() => tree.open(entry))).toBe("CONTEXT_FILE_CHANGED");
  });

  test.each<[string, () => void]>([
    ["grows", () => appendFileSync(join(root, "f"), "more")],
    ["shrinks", () => truncateSync(join(root, "f"), 1)],
    ["gets the same size again", () => writeFileSync(join(root, "f"), "CONTENT")],
  ])("while it is read: %s", (_, change) => {
    fill({ f: "content" });
    utimesSync(join(root, "f"), 1, 1);
    const tree = open();
    const reader = tree.open(entryAt(tree, "f"));
    expect(reader.read(Buffer.alloc(3))).toBe(3);
    change();
    expect(codeOf(() => readAll(reader, 100))).toBe("CONTEXT_FILE_CHANGED");
  });

  test("an entry of another tree is refused", () => {
    fill({ f: "content" });
    const tree = open();
    expect(codeOf(() => tree.open({ ...entryAt(tree, "f"), size: 3 }))).toBe("CONTEXT_FILE_CHANGED");
    expect(codeOf(() => tree.open({ ...entryAt(tree, "f"), path: "g" }))).toBe("CONTEXT_FILE_CHANGED");
    expect(codeOf(() => tree.digest({ ...entryAt(tree, "f"), path: "../context/f" }))).toBe("CONTEXT_FILE_CHANGED");
  });
});

describe("a tree of what another has found", () => {
  /** A tree as another thread opens it. */
  const reopen = (tree: DirectoryTree, ignore = ""): DirectoryTree => {
    const found = tree.found();
    if (found === null) throw new Error("a file was seen twice and was not the same");
    return openFoundDirectoryTree(specWith(ignore), structuredClone(found));
  };
  const entriesOf = (tree: FileTree, path = ""): readonly Entry[] =>
    tree.list(path).flatMap((entry) => [entry, ...entriesOf(tree, entry.path)]);

  test("shows the same, whatever happened since", () => {
    fill({ "a/x": "1", "a/y": "22", "b.c": "", é: "umlaut" });
    mkdirSync(join(root, "empty"));
    chmodSync(join(root, "a/x"), 0o4751);
    linkSync(join(root, "a/x"), join(root, "b"));
    symlinkSync("a/é", join(root, "link"));
    utimesSync(join(root, "b.c"), -1.5, -1.5);
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), "byte");
    execFileSync("mkfifo", [join(root, "fifo")]);
    const first = open();
    const entries = entriesOf(first);
    const second = reopen(first);
    fill({ "a/new": "", "empty/new": "" });
    rmSync(join(root, "b.c"));
    expect(entriesOf(second)).toEqual(entries);
    expect(second.lstat("b.c")).toEqual(first.lstat("b.c"));
    expect(second.lstat("a/new")).toBeNull();
    expect(contentOf(second, "a/y")).toBe("22");
  });

  test("devices have their numbers", () => {
    const dev: DirectorySpec = { kind: "directory", root: "/dev", ignore: [], ignoreFile: null, statCache: null };
    const first = openDirectoryTree(dev);
    const seen = first.lstat("null");
    const found = first.found();
    expect(found === null ? null : openFoundDirectoryTree(dev, structuredClone(found)).lstat("null")).toEqual(seen);
  });

  test("looks for the rest, and leaves out what is ignored", () => {
    fill({ "a/keep/f": "1", "a/drop/f": "2", "b/keep/f": "3", "b/drop/f": "4" });
    const ignore = "**/drop\n";
    const first = open(ignore);
    first.list("");
    first.list("a");
    expect(pathsOf(reopen(first, ignore))).toEqual(["a", "a/keep", "a/keep/f", "b", "b/keep", "b/keep/f"]);
  });

  test("an exception holds below a folder that was found", () => {
    fill({ "a/drop/f": "1", "a/drop/keep": "2" });
    const ignore = "a\n!a/drop/keep\n";
    const first = open(ignore);
    first.list("");
    expect(pathsOf(reopen(first, ignore))).toEqual(["a", "a/drop", "a/drop/keep"]);
  });

  test("a file that was looked at alone stays what it was, and so does one that was not there", () => {
    fill({ f: "content" });
    const first = open();
    const seen = first.lstat("f");
    expect(first.lstat("g")).toBeNull();
    const second = reopen(first);
    fill({ f: "longer content", g: "" });
    expect(second.lstat("f")).toEqual(seen);
    expect(second.lstat("g")).toBeNull();
    expect(codeOf(() => contentOf(second, "f"))).toBe("CONTEXT_FILE_CHANGED");
  });

  test.each<[string, () => void]>([
    ["grows", () => appendFileSync(join(root, "f"), "more")],
    ["is removed", () => rmSync(join(root, "f"))],
    ["comes", () => writeFileSync(join(root, "new"), "")],
  ])("is not to be had when a file %s between two looks", (_, change) => {
    fill({ f: "content" });
    const tree = open();
    for (const path of ["f", "new"]) tree.lstat(path);
    change();
    tree.list("");
    expect(tree.found()).toBeNull();
  });

  test("knows the digests that were computed", () => {
    fill({ f: "content" });
    const first = openDirectoryTree(specWith(""), () => BigInt(Date.now() + 3_600_000) * 1_000_000n);
    first.digest(entryAt(first, "f"));
    const second = reopen(first);
    expect(second.knownDigest(entryAt(second, "f"))).toBe(digestOf("content"));
    expect(first.found()?.isSettled).toBe(true);
  });

  test("does not take the digest of a file that was just written on trust", () => {
    fill({ f: "content" });
    const first = openDirectoryTree(specWith(""), () => BigInt(Date.now() - 3_600_000) * 1_000_000n);
    first.digest(entryAt(first, "f"));
    expect(first.found()?.isSettled).toBe(false);
    const second = reopen(first);
    expect(second.knownDigest(entryAt(second, "f"))).toBeNull();
  });
});

test("file descriptors do not leak", () => {
  fill({ "a/b/f": "1", "a/g": "2" });
  symlinkSync("/", join(root, "l"));
  for (let round = 0; round < 20; round += 1) {
    const tree = open("*.x\n!y");
    pathsOf(tree);
    for (const path of ["a/b/f", "a/g"]) tree.digest(entryAt(tree, path));
    const entry = entryAt(tree, "a/g");
    appendFileSync(join(root, "a/g"), "!");
    expect(codeOf(() => tree.open(entry))).toBe("CONTEXT_FILE_CHANGED");
  }
  const held = execFileSync("ls", ["-l", `/proc/${process.pid}/fd`], { encoding: "utf8" });
  expect(held.split("\n").filter((line) => line.includes(area))).toEqual([]);
});
