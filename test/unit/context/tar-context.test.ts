import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, test } from "vitest";
import { openTree } from "../../../src/context/open-tree.ts";
import { readDockerfileFrom } from "../../../src/context/read-context-file.ts";
import { spoolToFile } from "../../../src/context/spool-file.ts";
import { openTarContext } from "../../../src/context/tar-context.ts";
import { readAll } from "../../../src/layer/file-readers.ts";
import type { FileTree } from "../../../src/layer/file-tree.ts";
import { resolveInTree } from "../../../src/layer/resolve-path.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf, thrownBy } from "../../support/thrown-by.ts";

const area = useTemporaryDirectory();
let file: string;
let directory: string;

beforeEach(() => {
  file = join(area.path, "sent");
  directory = join(area.path, "work");
  mkdirSync(directory);
});

/** A tar of files by path, made by the tar of this machine. */
function tarOf(files: Readonly<Record<string, string>>, prepare = ""): Buffer {
  const source = join(area.path, "source");
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(source, path, ".."), { recursive: true });
    writeFileSync(join(source, path), content);
  }
  execFileSync("sh", ["-c", `cd ${source} && ${prepare || true}`]);
  return execFileSync("tar", ["--owner=12", "--group=34", "-cf", "-", "-C", source, "."]);
}

async function treeOf(bytes: Uint8Array): Promise<FileTree> {
  writeFileSync(file, bytes);
  const opened = await openTarContext({ file, directory });
  if (opened.kind !== "tree") throw new Error("it was taken for a Dockerfile");
  return openTree(opened.tree);
}

const contentOf = (tree: FileTree, path: string): string => {
  const entry = tree.lstat(resolveInTree(tree, path, "all"));
  if (entry === null) throw new Error(`no ${path}`);
  return readAll(tree.open(entry), 1 << 20).toString();
};

describe("an archive", () => {
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ["plain", (bytes) => bytes],
    ["gzip", (bytes) => gzipSync(bytes)],
    ["xz", (bytes) => execFileSync("xz", ["-c"], { input: bytes })],
    ["bzip2", (bytes) => execFileSync("bzip2", ["-c"], { input: bytes })],
    ["zstd", (bytes) => execFileSync("zstd", ["-qc"], { input: bytes })],
  ])("is a tree: %s", async (_, compress) => {
    const tree = await treeOf(compress(tarOf({ Dockerfile: "FROM scratch\n", "d/f": "content" }, "ln -s d/f l")));
    expect(tree.list("").map(({ path }) => path)).toEqual(["Dockerfile", "d", "l"]);
    expect(contentOf(tree, "l")).toBe("content");
    expect(tree.lstat("d/f")).toMatchObject({ uid: 12, gid: 34 });
    expect(readDockerfileFrom(tree, "Dockerfile").bytes.toString()).toBe("FROM scratch\n");
  });

  test.each([
    ["old GNU", ["--format=gnu"], (bytes: Buffer) => bytes],
    ["pax 0.0", ["--format=posix", "--sparse-version=0.0"], gzipSync],
    ["pax 0.1", ["--format=posix", "--sparse-version=0.1"], (bytes: Buffer) => bytes],
    ["pax 1.0", ["--format=posix", "--sparse-version=1.0"], gzipSync],
  ] as const)("may have files with holes: %s", async (_, options, compress) => {
    tarOf({ plain: "plain", holes: "" });
    const source = join(area.path, "source");
    writeFileSync(join(source, "holes"), "end", { flag: "r+" });
    truncateSync(join(source, "holes"), 300_000);
    const tar = execFileSync("tar", ["-S", ...options, "-cf", "-", "-C", source, "holes", "plain"]);
    expect(tar.length).toBeLessThan(100_000);
    const tree = await treeOf(compress(tar));
    expect(contentOf(tree, "holes")).toBe(`end${"\0".repeat(299_997)}`);
    expect(contentOf(tree, "plain")).toBe("plain");
  });

  test("has no whiteouts: such names are files", async () => {
    const tree = await treeOf(tarOf({ ".wh.a": "1", a: "2", "d/.wh..wh..opq": "3", "d/f": "4" }));
    expect(contentOf(tree, ".wh.a")).toBe("1");
    expect(contentOf(tree, "a")).toBe("2");
    expect(contentOf(tree, "d/.wh..wh..opq")).toBe("3");
    expect(contentOf(tree, "d/f")).toBe("4");
  });

  test("without members is an empty tree", async () => {
    expect((await treeOf(Buffer.alloc(1024))).list("")).toEqual([]);
  });

  test("cannot reach out of itself", async () => {
    const tree = await treeOf(
      tarOf({ f: "1" }, "ln -s /etc/passwd Dockerfile && ln -s ../../../etc/passwd p && ln -s / root"),
    );
    for (const path of ["Dockerfile", "p", "root/etc/passwd", "../../etc/passwd"])
      expect(tree.lstat(resolveInTree(tree, path, "all"))).toBeNull();
    expect(thrownBy(() => readDockerfileFrom(tree, "Dockerfile")).code).toBe("DOCKERFILE_NOT_FOUND");
  });

  test("that is cut off or damaged is refused", async () => {
    const bytes = tarOf({ f: "x".repeat(5_000) }, "ln -s /etc/passwd Dockerfile");
    writeFileSync(file, bytes);
    truncateSync(file, 2_000);
    expect((await rejectionOf(openTarContext({ file, directory }))).code).toBe("CONTEXT_INVALID");
    writeFileSync(file, gzipSync(bytes).subarray(0, 150));
    expect((await rejectionOf(openTarContext({ file, directory }))).code).toBe("CONTEXT_INVALID");
  });

  test("that is compressed but no tar is refused", async () => {
    writeFileSync(file, gzipSync("FROM scratch\n".repeat(100)));
    const error = await rejectionOf(openTarContext({ file, directory }));
    expect(error).toMatchObject({ code: "CONTEXT_INVALID", message: expect.stringContaining("build context archive") });
  });
});

describe("anything else", () => {
  test.each(["FROM scratch\n", "", "x".repeat(10_000)])("is a Dockerfile: %#", async (text) => {
    writeFileSync(file, text);
    const opened = await openTarContext({ file, directory });
    expect(opened.kind).toBe("dockerfile");
    expect(opened.kind === "dockerfile" && Buffer.from(opened.bytes).toString()).toBe(text);
  });

  test("that is too long for a Dockerfile is refused", async () => {
    writeFileSync(file, "FROM x\n");
    truncateSync(file, 600 * 2 ** 20);
    expect((await rejectionOf(openTarContext({ file, directory }))).code).toBe("DOCKERFILE_TOO_LARGE");
  });
});

describe("spoolToFile", () => {
  async function* stream(...parts: readonly string[]): AsyncGenerator<Buffer> {
    for (const part of parts) yield Buffer.from(part);
  }
  const never = new AbortController().signal;

  test("keeps the bytes and replaces what was there", async () => {
    writeFileSync(file, "something longer than that");
    expect(await spoolToFile(stream("a", "bc"), file, 3, "stdin", never)).toMatchObject({ sizeBytes: 3 });
    expect(readFileSync(file, "utf8")).toBe("abc");
  });

  test("stops at the limit, at an abort and at an error of the stream", async () => {
    expect((await rejectionOf(spoolToFile(stream("a", "bc"), file, 2, "stdin", never))).code).toBe("SOURCE_INVALID");
    const aborted = AbortSignal.abort();
    expect((await rejectionOf(spoolToFile(stream("a"), file, 9, "stdin", aborted))).code).toBe("BUILD_CANCELLED");
    expect((await rejectionOf(spoolToFile(stream("a"), area.path, 9, "stdin", never))).code).toBe("SYSTEM_CALL_FAILED");
  });
});
