import {
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { mergeStatCache } from "../../../../src/context/stat-cache.ts";
import type { TreeSpec } from "../../../../src/context/tree-spec.ts";
import { hashCopy, hashPath } from "../../../../src/steps/copy/hash-copy.ts";
import { dir, file, makeLayer } from "../../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
const at = (path: string): string => join(temporary.path, path);
const write = (path: string, text: string): void => writeFileSync(at(path), text);

const contextSpec = (ignore: readonly string[] = []): TreeSpec => ({
  kind: "directory",
  root: at("context"),
  ignore: ignore.map((pattern, index) => ({ pattern, line: index + 1 })),
  ignoreFile: null,
  statCache: null,
});

function makeContext(): void {
  mkdirSync(at("context/dir/sub"), { recursive: true });
  write("context/dir/a.txt", "a");
  write("context/dir/sub/b.txt", "b");
  write("context/other", "o");
  symlinkSync("dir", at("context/link"));
}

interface Selection {
  readonly paths?: readonly string[];
  readonly excludes?: readonly string[];
  readonly parents?: boolean;
  readonly ignore?: readonly string[];
}

function digest({ paths = ["dir"], excludes = [], parents = false, ignore = [] }: Selection = {}): string {
  const { digests } = hashCopy({ selections: [{ action: { paths, excludes, parents }, tree: contextSpec(ignore) }] });
  return String(digests[0]);
}

const changes: readonly [what: string, change: () => void, selection: Selection][] = [
  ["a file's content", () => write("context/dir/sub/b.txt", "B"), {}],
  ["a file's mode", () => chmodSync(at("context/dir/a.txt"), 0o755), {}],
  ["a directory's mode", () => chmodSync(at("context/dir/sub"), 0o700), {}],
  ["a file's name", () => renameSync(at("context/dir/a.txt"), at("context/dir/c.txt")), {}],
  ["a new empty directory", () => mkdirSync(at("context/dir/new")), {}],
  ["a file that is gone", () => rmSync(at("context/dir/a.txt")), {}],
  [
    "a file that becomes a link",
    () => {
      rmSync(at("context/dir/a.txt"));
      symlinkSync("sub/b.txt", at("context/dir/a.txt"));
    },
    {},
  ],
  [
    "the name of a wildcard's match",
    () => renameSync(at("context/dir/a.txt"), at("context/dir/c.txt")),
    { paths: ["dir/*.txt"] },
  ],
  ["a new match of a wildcard", () => write("context/dir/c.txt", "a"), { paths: ["dir/*.txt"] }],
  ["where a wildcard's matches lie", () => renameSync(at("context/dir"), at("context/dor")), { paths: ["*/*"] }],
  ["a file found with --parents", () => write("context/dir/sub/b.txt", "B"), { paths: ["**/b.txt"], parents: true }],
  [
    "the mode of a directory kept by --parents",
    () => chmodSync(at("context/dir/sub"), 0o700),
    { paths: ["dir/sub/b.txt"], parents: true },
  ],
];

const noChanges: readonly [what: string, change: () => void, selection: Selection][] = [
  [
    "times",
    () => {
      utimesSync(at("context/dir/a.txt"), 1, 1);
      utimesSync(at("context/dir"), 1, 1);
    },
    {},
  ],
  ["the mode of the context itself", () => chmodSync(at("context"), 0o700), { paths: ["."] }],
  ["a file beside it", () => write("context/other", "O"), {}],
  ["an excluded file", () => write("context/dir/a.txt", "A"), { excludes: ["*.txt"] }],
  ["a new excluded directory", () => mkdirSync(at("context/dir/tmp")), { excludes: ["tmp"] }],
  ["an ignored file", () => write("context/dir/a.txt", "A"), { ignore: ["dir/a.txt"] }],
  [
    "where the only match of a wildcard lies when its name is written out",
    () => renameSync(at("context/dir"), at("context/dor")),
    { paths: ["*/a.txt"] },
  ],
  ["a file that does not match", () => write("context/dir/c.md", "c"), { paths: ["dir/*.txt"] }],
  [
    "the target of a followed link with the same content",
    () => {
      renameSync(at("context/dir"), at("context/moved"));
      unlinkSync(at("context/link"));
      symlinkSync("moved", at("context/link"));
    },
    { paths: ["link"] },
  ],
  [
    "a hard link instead of a copy",
    () => {
      rmSync(at("context/dir/c"));
      linkSync(at("context/other"), at("context/dir/c"));
    },
    {},
  ],
];

describe("hashCopy", () => {
  test.each(changes)("counts %s", (_, change, selection) => {
    makeContext();
    const before = digest(selection);
    change();
    expect(digest(selection)).not.toBe(before);
  });

  test.each(noChanges)("does not count %s", (_, change, selection) => {
    makeContext();
    write("context/dir/c", "o");
    const before = digest(selection);
    change();
    expect(digest(selection)).toBe(before);
  });

  test("counts the name of a source, not where it lies", () => {
    makeContext();
    mkdirSync(at("context/elsewhere"));
    write("context/elsewhere/a.txt", "a");
    write("context/elsewhere/z.txt", "a");
    expect(digest({ paths: ["elsewhere/a.txt"] })).toBe(digest({ paths: ["dir/a.txt"] }));
    expect(digest({ paths: ["elsewhere/z.txt"] })).not.toBe(digest({ paths: ["dir/a.txt"] }));
  });

  test("gives one digest for each selection", () => {
    makeContext();
    const selections = ["dir", "other"].map((path) => {
      return { action: { paths: [path], excludes: [], parents: false }, tree: contextSpec() };
    });
    expect(hashCopy({ selections }).digests).toEqual([digest({ paths: ["dir"] }), digest({ paths: ["other"] })]);
  });

  test("is the same for layers as for a directory with the same files of root's", () => {
    makeContext();
    const items = [dir("dir"), file("dir/a.txt", "a"), dir("dir/sub"), file("dir/sub/b.txt", "b")];
    const tree: TreeSpec = { kind: "layers", layers: [makeLayer(at("layer"), items)] };
    const action = { paths: ["dir"], excludes: [], parents: false };
    expect(hashCopy({ selections: [{ action, tree }] }).digests[0]).toBe(digest());
  });

  test("counts owners in layers", () => {
    const specs = [0, 1000].map((uid): TreeSpec => {
      return { kind: "layers", layers: [makeLayer(at(`layer-${uid}`), [file("f", "f", { uid })])] };
    });
    const action = { paths: ["f"], excludes: [], parents: false };
    const { digests } = hashCopy({ selections: specs.map((tree) => ({ action, tree })) });
    expect(digests[0]).not.toBe(digests[1]);
  });

  test("tells new digests for the stat cache", () => {
    const root = fileURLToPath(new URL("../../../../fixtures/copy", import.meta.url));
    const statCache = at("stat-cache");
    const tree: TreeSpec = { kind: "directory", root, ignore: [], ignoreFile: null, statCache };
    const action = { paths: ["base-image.json"], excludes: [], parents: false };
    const { newStatCacheRows } = hashCopy({ selections: [{ action, tree }] });
    expect(newStatCacheRows).toEqual([{ file: statCache, rows: expect.any(BigInt64Array) }]);
    mergeStatCache(
      statCache,
      newStatCacheRows.map(({ rows }) => rows),
    );
    expect(hashCopy({ selections: [{ action, tree }] }).newStatCacheRows).toEqual([]);
  });
});

describe("hashPath", () => {
  const hash = (path: string): string => hashPath({ tree: contextSpec(), path }).digest;

  test("is of the content, not of the path to it", () => {
    makeContext();
    expect(hash("/link")).toBe(hash("dir/"));
    expect(hash("/")).not.toBe(hash("/dir"));
    const before = hash("/dir");
    write("context/other", "O");
    expect(hash("/dir")).toBe(before);
    write("context/dir/sub/b.txt", "B");
    expect(hash("/dir")).not.toBe(before);
  });

  test("refuses a path that does not exist", () => {
    makeContext();
    expect(() => hash("/dor")).toThrow(
      expect.objectContaining({ code: "CONTEXT_PATH_NOT_FOUND", message: '"/dor": not found' }),
    );
  });
});
