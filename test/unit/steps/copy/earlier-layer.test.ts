import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../../../src/base/digest.ts";
import { openDirectoryTree } from "../../../../src/context/directory-tree.ts";
import { mergeStatCache } from "../../../../src/context/stat-cache.ts";
import type { DirectorySpec } from "../../../../src/context/tree-spec.ts";
import { openEarlierLayer } from "../../../../src/layer/earlier-layer.ts";
import type { Entry } from "../../../../src/layer/entry.ts";
import type { FileTree } from "../../../../src/layer/file-tree.ts";
import type { LayerLocation } from "../../../../src/layer/layer-location.ts";
import { openRootfsView } from "../../../../src/layer/rootfs-view.ts";
import { copyDirectory } from "../../../../src/steps/copy/copy-entries.ts";
import { hashCopy } from "../../../../src/steps/copy/hash-copy.ts";
import { type HashedSources, packCopy } from "../../../../src/steps/copy/pack-copy.ts";
import { PendingTree } from "../../../../src/steps/copy/pending-tree.ts";
import { SourceTrees } from "../../../../src/steps/copy/source-trees.ts";
import { packChanges } from "../../../../src/steps/copy/write-changes.ts";
import { useTemporaryDirectory } from "../../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
const nowSeconds = 1_900_000_000;

/** Content of `size` bytes that differs by `seed`. */
const content = (seed: number, size: number): Buffer => Buffer.alloc(size, `content ${seed}\n`);

interface Place {
  readonly spec: DirectorySpec;
  readonly directory: string;
}

/** A context of files by path, below a new directory. */
function makeContext(name: string, files: Iterable<readonly [string, Buffer]>): Place {
  const directory = join(temporary.path, name);
  const root = join(directory, "context");
  mkdirSync(root, { recursive: true });
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
  }
  const statCache = join(directory, "stat-cache");
  return { directory, spec: { kind: "directory", root, ignore: [], ignoreFile: null, statCache } };
}

const filesIn = (tree: FileTree, path = ""): readonly string[] =>
  tree.list(path).flatMap((entry) => [...(entry.type === "file" ? [entry.path] : []), ...filesIn(tree, entry.path)]);

/** Makes all files known, as if they had been made long ago. */
function learn({ spec }: Place): void {
  const tree = openDirectoryTree(spec, () => BigInt(Date.now() + 60_000) * 1_000_000n);
  for (const path of filesIn(tree)) {
    const entry = tree.lstat(path);
    if (entry !== null) tree.digest(entry);
  }
  mergeStatCache(spec.statCache as string, [tree.newDigests()]);
}

/** What hashing all files finds, without time for any to settle. */
function hash({ spec }: Place): HashedSources {
  const trees = new SourceTrees();
  const tree = trees.open(spec);
  for (const path of filesIn(tree)) tree.digest(tree.lstat(path) as Entry);
  const contexts = trees.found([spec]);
  if (contexts === null) throw new Error("a file was seen twice and was not the same");
  const { digests } = hashCopy({
    selections: [{ action: { paths: ["/"], parents: false, excludes: [] }, tree: spec }],
  });
  return { contexts, digests };
}

async function pack(
  { spec, directory }: Place,
  name: string,
  earlier: LayerLocation | null,
  hashed: HashedSources | null = null,
) {
  const workDirectory = join(directory, name);
  mkdirSync(workDirectory);
  const { layer, digests } = await packCopy({
    actions: [
      {
        kind: "paths",
        tree: spec,
        paths: ["/"],
        destination: "/app",
        chown: null,
        chmod: null,
        parents: false,
        excludes: [],
        unpack: "never",
      },
    ],
    parent: null,
    earlier,
    hashed: structuredClone(hashed),
    workDirectory,
    nowSeconds,
  });
  const [indexFile, tarFile] = [join(workDirectory, "index"), join(workDirectory, "tar")];
  const location: LayerLocation = { diffId: layer.diffId, indexFile, tarFile, directory: null };
  return {
    location,
    made: { layer, digests, index: readFileSync(indexFile, "utf8"), tar: digestOf(readFileSync(tarFile)) },
  };
}

const fileName = fc.constantFrom("a", "b", "c-d", "c.d", "cd", "é", "z".repeat(120));
const path = fc.array(fileName, { minLength: 1, maxLength: 3 }).map(
  (names) =>
    `${names
      .slice(0, -1)
      .map((name) => `${name}.dir/`)
      .join("")}${names.at(-1)}`,
);
const size = fc.oneof(fc.nat(2000), fc.constantFrom(0, 511, 512, 513, 70_000, 300_000));
const change = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom("write", "remove", "chmod", "rename", "add" as const),
});

test("a layer made with an earlier one, or of what was hashed, is the layer made without, whatever changed before", async () => {
  let round = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(path, size), { minLength: 1, maxLength: 12, selector: ([name]) => name }),
      fc.array(change, { maxLength: 4 }),
      async (files, changes) => {
        round += 1;
        const place = makeContext(
          `round-${round}`,
          files.map(([name, size], at): [string, Buffer] => [name, content(at, size)]),
        );
        const { location: earlier } = await pack(place, "earlier", null);
        learn(place);
        for (const [number, { at, kind }] of changes.entries()) {
          const file = join(place.spec.root, files[at % files.length]?.[0] ?? "");
          if (kind === "add") writeFileSync(`${file}-new-${number}`, content(number, 600));
          else if (kind === "write") writeFileSync(file, content(number, 10_000 + number));
          else if (kind === "remove") rmSync(file, { force: true });
          else if (kind === "chmod") makeExecutable(file);
          else moveAway(file, number);
        }
        const withEarlier = await pack(place, "with", earlier);
        const without = await pack(place, "without", null);
        expect(withEarlier.made).toEqual(without.made);
        const hashed = hash(place);
        expect((await pack(place, "hashed", earlier, hashed)).made).toEqual(without.made);
        expect((await pack(place, "unsettled", null, { ...hashed, digests: null })).made).toEqual(without.made);
      },
    ),
    { numRuns: 20, seed: 7 },
  );
});

const ifThere = (work: () => void): void => {
  try {
    work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
};
const makeExecutable = (file: string): void => ifThere(() => chmodSync(file, 0o755));
const moveAway = (file: string, number: number): void => ifThere(() => renameSync(file, `${file}-moved-${number}`));

const someFiles = (): readonly (readonly [string, Buffer])[] =>
  Array.from({ length: 30 }, (_, at) => [`dir-${at % 7}/file-${at}`, content(at, 100 + 900 * (at % 11))] as const);

describe("a damaged earlier layer changes nothing", () => {
  const damages: readonly (readonly [string, (earlier: LayerLocation) => void])[] = [
    ["contents are others", ({ tarFile }) => writeFileSync(tarFile as string, Buffer.alloc(1 << 20, 0x41))],
    ["the tar is cut off", ({ tarFile }) => truncateSync(tarFile as string, 20_000)],
    ["the tar is gone", ({ tarFile }) => rmSync(tarFile as string)],
    ["the index is gone", ({ indexFile }) => rmSync(indexFile)],
    ["the index is no index", ({ indexFile }) => writeFileSync(indexFile, "x\ny\nz\n")],
    [
      "a row is broken",
      ({ indexFile }) => writeFileSync(indexFile, readFileSync(indexFile, "utf8").replace(',"f",', ',"f";')),
    ],
    [
      "offsets lie behind the end",
      ({ indexFile }) =>
        writeFileSync(
          indexFile,
          readFileSync(indexFile, "utf8").replaceAll(/,\d+,("[0-9a-f]{64}")/g, ",9999999999,$1"),
        ),
    ],
  ];
  test.each(damages)("%s", async (_, damage) => {
    const place = makeContext("damaged", someFiles());
    const { location, made } = await pack(place, "earlier", null);
    learn(place);
    damage(location);
    expect((await pack(place, "again", location)).made).toEqual(made);
  });
});

test("files that did not change are not opened", async () => {
  const place = makeContext("known", someFiles());
  const { location } = await pack(place, "earlier", null);
  learn(place);
  writeFileSync(join(place.spec.root, "dir-3/file-3"), "something else");
  const tree = openDirectoryTree(place.spec);
  const root = tree.lstat("");
  if (root === null) throw new Error("the context has no root");
  const pending = new PendingTree(openRootfsView([]), nowSeconds);
  copyDirectory(tree, root, null, "/app", pending, { owner: null, mode: null });
  const into = join(place.directory, "again");
  mkdirSync(into);
  packChanges(pending, into, openEarlierLayer(location));
  expect(tree.filesRead).toBe(1);
});
