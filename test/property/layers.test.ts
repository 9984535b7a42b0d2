import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asDiffId, digestOf } from "../../src/base/digest.ts";
import { isBuildError } from "../../src/base/errors.ts";
import { encodeName } from "../../src/base/file-name.ts";
import { encodeTar } from "../../src/layer/encode-tar.ts";
import type { Entry, LayerRow } from "../../src/layer/entry.ts";
import { readAll, readerOf } from "../../src/layer/file-readers.ts";
import type { FileTree } from "../../src/layer/file-tree.ts";
import { flattenTree } from "../../src/layer/flatten-tree.ts";
import { readLayerIndex } from "../../src/layer/layer-index.ts";
import type { LayerLocation } from "../../src/layer/layer-location.ts";
import { packDirectoryDiff } from "../../src/layer/pack-directory-diff.ts";
import { comparePaths } from "../../src/layer/path-order.ts";
import { readTar } from "../../src/layer/read-tar.ts";
import { openRootfsView } from "../../src/layer/rootfs-view.ts";
import { streamLayerTar } from "../../src/layer/stream-layer-tar.ts";
import { paddingAfter } from "../../src/layer/tar-encoder.ts";
import { defaultTarLimits } from "../../src/layer/tar-member.ts";
import { TarSplitter } from "../../src/layer/tar-splitter.ts";
import { unpackLayer } from "../../src/layer/unpack-layer.ts";
import { type LayerItem, makeLayer, makeLayers } from "../support/layer-builder.ts";
import { needsOverlay, runInOverlay, unpackAll } from "../support/overlay.ts";
import { useTemporaryDirectory } from "../support/temporary-directory.ts";
import { layerItems, treeItems } from "./layer-trees.ts";

const temporary = useTemporaryDirectory();
const fresh = (): string => mkdtempSync(join(temporary.path, "run-"));

async function unpacked(layer: LayerLocation): Promise<readonly LayerRow[]> {
  const indexFile = join(fresh(), "foreign");
  const source = layer.tarFile as string;
  await unpackLayer({
    source,
    blob: null,
    diffId: layer.diffId,
    indexFile,
    tarFile: null,
    directory: null,
    overlayXattrs: "trusted",
  });
  return [...readLayerIndex(indexFile)];
}

test("reading a layer that was packed gives the rows that were packed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(treeItems, layerItems), async (items) => {
      const layer = makeLayer(fresh(), items);
      expect(await unpacked(layer)).toEqual([...readLayerIndex(layer.indexFile)]);
    }),
    { numRuns: 100 },
  );
});

test("a layer is the same in whatever order its members come, hard links behind their files", async () => {
  await fc.assert(
    fc.asyncProperty(treeItems, fc.infiniteStream(fc.nat()), async (items, random) => {
      const sorted = makeLayer(fresh(), items);
      const tar = readFileSync(sorted.tarFile as string);
      const members: { readonly bytes: Buffer; readonly rank: number }[] = [];
      let begin = 0;
      for (const { member } of readTar(readerOf(tar))) {
        const end = member.offset + member.size + paddingAfter(member.size);
        const rank = (member.type === "hardlink" ? 2 ** 32 : 0) + (random.next().value as number);
        members.push({ bytes: tar.subarray(begin, end), rank });
        begin = end;
      }
      members.sort((a, b) => a.rank - b.rank);
      const shuffled = Buffer.concat([...members.map(({ bytes }) => bytes), Buffer.alloc(1024)]);
      const tarFile = join(fresh(), "tar");
      writeFileSync(tarFile, shuffled);
      const rows = await unpacked({ diffId: asDiffId(digestOf(shuffled)), indexFile: "", tarFile, directory: null });
      const withoutOffset = (row: LayerRow): unknown => ({ ...row, offset: null });
      expect(rows.map(withoutOffset)).toEqual([...readLayerIndex(sorted.indexFile)].map(withoutOffset));
    }),
    { numRuns: 100 },
  );
});

describe("a view", () => {
  const walk = (tree: FileTree, path = ""): readonly Entry[] =>
    tree.list(path).flatMap((entry) => [entry, ...walk(tree, entry.path)]);

  test("finds by path what it lists, sorted, and flattens to one layer with the same tree", () => {
    fc.assert(
      fc.property(fc.array(layerItems, { minLength: 1, maxLength: 4 }), (stack) => {
        const view = openRootfsView(makeLayers(fresh(), stack));
        const entries = walk(view);
        expect(entries.map((entry) => entry.path)).toEqual([...entries].map((entry) => entry.path).sort(comparePaths));
        const lookup = openRootfsView(makeLayers(fresh(), stack));
        for (const entry of [...entries].reverse()) expect(lookup.lstat(entry.path)).toEqual(entry);
        const items: LayerItem[] = [...flattenTree(view)].map(({ row, open }) => ({
          row,
          content: row.type === "file" ? readAll(open(), 1000) : null,
        }));
        const flat = openRootfsView([makeLayer(fresh(), items)]);
        const shape = (tree: FileTree, all: readonly Entry[]): unknown =>
          all.map(({ inode, ...entry }) => [
            entry,
            inode !== null,
            entry.type === "file" && tree.digest({ ...entry, inode }),
          ]);
        expect(shape(flat, walk(flat))).toEqual(shape(view, entries));
        expect(
          Buffer.concat([...encodeTar(flattenTree(flat))]).equals(Buffer.concat([...encodeTar(flattenTree(view))])),
        ).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test.skipIf(needsOverlay !== null)(
    `shows what overlayfs shows${needsOverlay === null ? "" : ` (skipped: ${needsOverlay})`}`,
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(layerItems, { minLength: 1, maxLength: 4 }), async (stack) => {
          const root = fresh();
          const layers = await unpackAll(makeLayers(root, stack));
          const printed = runInOverlay(
            layers.map((layer) => layer.directory as string),
            join(root, "upper"),
            `exec ${process.execPath} ${join(import.meta.dirname, "../support/print-tree.js")}`,
          );
          const view = openRootfsView(layers);
          const ours = walk(view).map(({ path, type, mode, uid, gid, mtimeSeconds, target, ...entry }) => ({
            path: encodeName(path).toString("hex"),
            type,
            mode,
            uid,
            gid,
            mtimeSeconds,
            target: target === null ? null : encodeName(target).toString("hex"),
            content:
              type === "file"
                ? readAll(view.open({ path, type, mode, uid, gid, mtimeSeconds, target, ...entry }), 1000).toString(
                    "hex",
                  )
                : null,
          }));
          expect(JSON.parse(printed)).toEqual(ours);
        }),
        { numRuns: 25 },
      );
    },
  );
});

describe.skipIf(needsOverlay !== null)(
  `packing a directory${needsOverlay === null ? "" : ` (skipped: ${needsOverlay})`}`,
  () => {
    const pack = (upper: string, lower: readonly LayerLocation[]) => {
      const into = fresh();
      const packed = packDirectoryDiff({ upper, lower, into, keepTar: true, overlayXattrs: "trusted" });
      return { diffId: packed.diffId, indexFile: join(into, "index"), tarFile: join(into, "tar"), directory: upper };
    };

    test("that was unpacked gives the same layer again, from its tar and from its files", async () => {
      await fc.assert(
        fc.asyncProperty(treeItems, async (items) => {
          const [layer] = await unpackAll([makeLayer(fresh(), items)]);
          const again = pack(layer?.directory as string, []);
          expect(again.diffId).toBe(layer?.diffId);
          const tar = Buffer.concat([...streamLayerTar({ ...again, tarFile: null })]);
          expect(tar.equals(readFileSync(layer?.tarFile as string))).toBe(true);
        }),
        { numRuns: 25 },
      );
    });

    test("that turns one tree into another gives a layer that does so too", async () => {
      await fc.assert(
        fc.asyncProperty(treeItems, layerItems, treeItems, async (first, second, wanted) => {
          const lower = await unpackAll(makeLayers(fresh(), [first, second]));
          const want = await unpackAll([makeLayer(fresh(), wanted)]);
          const upper = join(fresh(), "upper");
          runInOverlay(
            lower.map((layer) => layer.directory as string),
            upper,
            `find . -mindepth 1 -maxdepth 1 -exec rm -rf -- {} + ; cp -a "${want[0]?.directory}/." .`,
          );
          const walk = (tree: FileTree, path = ""): readonly Entry[] =>
            tree.list(path).flatMap((entry) => [entry, ...walk(tree, entry.path)]);
          const wantView = openRootfsView(want);
          const gotView = openRootfsView([...lower, pack(upper, lower)]);
          // A directory of which only the time changed is not recorded, so where it was before its time may be either.
          const lowerView = openRootfsView(lower);
          const keepsTime = ({ path, type, mode, uid, gid }: Entry): boolean => {
            const before = type === "directory" ? lowerView.lstat(path) : null;
            return before?.type === type && before.mode === mode && before.uid === uid && before.gid === gid;
          };
          const plain = (tree: FileTree): unknown =>
            walk(tree).map(({ inode, ...entry }) => [
              keepsTime({ ...entry, inode }) ? { ...entry, mtimeSeconds: 0 } : entry,
              entry.type === "file" && tree.digest({ ...entry, inode }),
            ]);
          expect(plain(gotView)).toEqual(plain(wantView));
        }),
        { numRuns: 25 },
      );
    });
  },
);

test("on damaged tars the readers agree or throw a BuildError, quickly", () => {
  const read = (tar: Buffer): unknown => {
    try {
      const names = [];
      for (const { member, content } of readTar(readerOf(tar))) names.push([member, readAll(content, 1 << 20)]);
      return names;
    } catch (error) {
      if (isBuildError(error)) return error.code;
      throw error;
    }
  };
  const push = (tar: Buffer): unknown => {
    try {
      const seen: [unknown, Buffer][] = [];
      let parts: Buffer[] = [];
      let last: unknown = null;
      const splitter = new TarSplitter(defaultTarLimits, {
        member(member) {
          last = member;
          parts = [];
        },
        content: (bytes) => parts.push(Buffer.from(bytes)),
        memberEnd: () => seen.push([last, Buffer.concat(parts)]),
      });
      for (let at = 0; at < tar.length; at += 700) splitter.push(tar.subarray(at, at + 700));
      splitter.end();
      return seen;
    } catch (error) {
      if (isBuildError(error)) return error.code;
      throw error;
    }
  };
  const damage = fc.array(fc.record({ at: fc.nat(5000), byte: fc.nat(255) }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(treeItems, damage, fc.nat(5000), fc.boolean(), (items, changes, length, isSealed) => {
      const tar = Buffer.from(readFileSync(makeLayer(fresh(), items).tarFile as string));
      for (const { at, byte } of changes) if (at < tar.length) tar[at] = byte;
      if (isSealed) for (let at = 0; at + 512 <= tar.length; at += 512) seal(tar.subarray(at, at + 512));
      const cut = tar.subarray(0, length);
      expect(push(tar)).toEqual(read(tar));
      expect(push(cut)).toEqual(read(cut));
    }),
    { numRuns: 200 },
  );
});

/** Gives what looks like a header the right checksum, so that more than that is tested. */
function seal(block: Buffer): void {
  if (block.toString("latin1", 257, 262) !== "ustar") return;
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}
