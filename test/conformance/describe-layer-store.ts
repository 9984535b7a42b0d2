import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { beforeEach, describe, expect, test } from "vitest";
import { asDiffId, type DiffId, digestOf, hexOf } from "../../src/base/digest.ts";
import type { Descriptor } from "../../src/image/descriptor.ts";
import { mediaTypes } from "../../src/image/media-types.ts";
import { readAll, readerOf } from "../../src/layer/file-readers.ts";
import { openLayerWriter, type PackedLayer } from "../../src/layer/layer-writer.ts";
import { openRootfsView } from "../../src/layer/rootfs-view.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import type { LayerStore, RemoteBlobs } from "../../src/store/layer-store.ts";
import { dir, file, type LayerItem, makeLayer, whiteout } from "../support/layer-builder.ts";
import { rejectionOf } from "../support/thrown-by.ts";

export interface LayerStoreParts {
  readonly layers: LayerStore;
  /** Where `layers` keeps blobs. */
  readonly blobs: BlobStore;
  /** A directory for other things. */
  readonly path: string;
}

const never = new AbortController().signal;
const gzip = { compression: "gzip", level: null } as const;
const none = { compression: "none", level: null } as const;

/** What every LayerStore holds to. `use` sets up a fresh one for each test, which fetches from `remote`. */
export function describeLayerStore(name: string, use: (remote: RemoteBlobs) => LayerStoreParts): void {
  describe(`${name} is a LayerStore`, () => {
    const remote = new ScriptedRemote();
    const current = use(remote);
    beforeEach(() => remote.reset());

    /** Puts a layer with `items` into the store, as a step does that packs it. */
    async function commitTar(...items: readonly LayerItem[]): Promise<PackedLayer & { readonly tar: Buffer }> {
      const temporary = await current.layers.makeTemporary();
      const { diffId } = makeLayer(temporary, items);
      const tar = readFileSync(join(temporary, "tar"));
      const layer = { diffId, sizeBytes: tar.length };
      await current.layers.commitTar(temporary, layer);
      expect(existsSync(temporary)).toBe(false);
      return { ...layer, tar };
    }

    /** Puts a layer into the store, as RUN does: one file in a directory, whose tar was only hashed. */
    async function commitDirectory(content: string): Promise<PackedLayer> {
      const temporary = await current.layers.makeTemporary();
      mkdirSync(join(temporary, "dir"));
      writeFileSync(join(temporary, "dir", "made"), content);
      const writer = openLayerWriter(temporary, { keepTar: false });
      const item = file("made", content);
      writer.add(item.row, readerOf(item.content ?? Buffer.alloc(0)));
      const layer = writer.finish();
      await current.layers.commitDirectory(temporary, layer);
      expect(existsSync(temporary)).toBe(false);
      return layer;
    }

    /** A layer only the remote has. */
    async function addRemote(
      content: string,
    ): Promise<{ readonly diffId: DiffId; readonly tar: Buffer; readonly blob: Descriptor }> {
      const made = makeLayer(join(current.path, `remote-${content}`), [dir("d"), file("d/f", content)]);
      const tar = readFileSync(made.tarFile ?? "");
      const bytes = gzipSync(tar, { level: 1 });
      const blob = { mediaType: mediaTypes.dockerLayerGzip, digest: digestOf(bytes), size: bytes.length };
      remote.blobs.set(blob.digest, bytes);
      await current.layers.addRemote(made.diffId, blob, "registry/repository");
      return { diffId: made.diffId, tar, blob };
    }

    async function contentOf(diffId: DiffId, path: string): Promise<string> {
      const view = openRootfsView([await current.layers.readable(diffId, never)]);
      const entry = view.lstat(path);
      if (entry === null) throw new Error(`no ${path}`);
      return readAll(view.open(entry), 1000).toString();
    }

    const tarOf = (diffId: DiffId): Promise<Buffer> => collect(current.layers.tar(diffId, never));

    describe("a layer committed as a tar", () => {
      test("is there, readable, and streams the same bytes", async () => {
        const layer = await commitTar(dir("d"), file("d/f", "hello"), whiteout("gone"));
        expect(await current.layers.has(layer.diffId)).toBe(true);
        expect(await contentOf(layer.diffId, "d/f")).toBe("hello");
        expect(await tarOf(layer.diffId)).toEqual(layer.tar);
        expect(await current.layers.sizeBytes(layer.diffId)).toBe(layer.tar.length);
      });

      test("is unpacked once, however many ask", async () => {
        const { diffId } = await commitTar(dir("d"), file("d/f", "hello"));
        const asked = await Promise.all([1, 2, 3].map(() => current.layers.directory(diffId, never)));
        expect(new Set([...asked, await current.layers.directory(diffId, never)]).size).toBe(1);
        expect(readFileSync(join(asked[0] ?? "", "d/f"), "utf8")).toBe("hello");
      });

      test("may be committed twice, also at the same time", async () => {
        const layers = await Promise.all([1, 2].map(() => commitTar(file("f", "same"))));
        expect(layers[0]?.diffId).toBe(layers[1]?.diffId);
        await commitTar(file("f", "same"));
        expect(await contentOf(asDiffId(digestOf(layers[0]?.tar ?? "")), "f")).toBe("same");
      });

      test("may be empty", async () => {
        const { diffId, tar } = await commitTar();
        expect(tar.length).toBe(1024);
        expect(await tarOf(diffId)).toEqual(tar);
        expect(lstatSync(await current.layers.directory(diffId, never)).isDirectory()).toBe(true);
      });
    });

    describe("a layer committed as a directory", () => {
      test("is there and readable, and its directory is what was committed", async () => {
        const { diffId } = await commitDirectory("by a step");
        expect(await current.layers.has(diffId)).toBe(true);
        expect(await contentOf(diffId, "made")).toBe("by a step");
        const directory = await current.layers.directory(diffId, never);
        expect(readFileSync(join(directory, "made"), "utf8")).toBe("by a step");
      });

      test("streams a tar with its diffID", async () => {
        const { diffId, sizeBytes } = await commitDirectory("by a step");
        const tar = await tarOf(diffId);
        expect(hexOf(digestOf(tar))).toBe(hexOf(diffId));
        expect(tar.length).toBe(sizeBytes);
      });

      test("is refused when its content was changed behind it", async () => {
        const { diffId } = await commitDirectory("by a step");
        writeFileSync(join(await current.layers.directory(diffId, never), "made"), "BY A STEP");
        expect((await rejectionOf(tarOf(diffId))).code).toBe("BLOB_DIGEST_MISMATCH");
        expect(await current.layers.has(diffId)).toBe(false);
      });

      test("is kept as a tar when it was one before", async () => {
        const { diffId } = await commitTar(file("made", "twice"));
        expect((await commitDirectory("twice")).diffId).toBe(diffId);
        expect(await contentOf(diffId, "made")).toBe("twice");
      });
    });

    describe("a remote layer", () => {
      test("is there without being fetched", async () => {
        const { diffId, blob } = await addRemote("a");
        expect(await current.layers.has(diffId)).toBe(true);
        expect(await current.layers.sizeBytes(diffId)).toBe(blob.size);
        expect(remote.opened).toEqual([]);
      });

      test("is fetched once, however many ask for whatever form", async () => {
        const { diffId, tar } = await addRemote("b");
        const [, , directory] = await Promise.all([
          current.layers.readable(diffId, never),
          current.layers.readable(diffId, never),
          current.layers.directory(diffId, never),
          current.layers.blob(diffId, gzip, never),
        ]);
        expect(readFileSync(join(directory, "d/f"), "utf8")).toBe("b");
        expect(await contentOf(diffId, "d/f")).toBe("b");
        expect(await tarOf(diffId)).toEqual(tar);
        expect(remote.opened).toHaveLength(1);
      });

      test("is unpacked without a tar when only its directory is wanted, and still has one later", async () => {
        const { diffId, tar } = await addRemote("c");
        expect(readFileSync(join(await current.layers.directory(diffId, never), "d/f"), "utf8")).toBe("c");
        expect((await current.layers.readable(diffId, never)).tarFile).toBeNull();
        expect(await tarOf(diffId)).toEqual(tar);
      });

      test("leaves as the blob it came as", async () => {
        const { diffId, blob } = await addRemote("e");
        expect(await current.layers.blob(diffId, { compression: "zstd", level: 3 }, never)).toEqual(blob);
        expect(await current.blobs.has(blob)).toBe(true);
      });

      test("is compressed anew when that is forced", async () => {
        const { diffId, blob, tar } = await addRemote("f");
        const forced = await current.layers.blob(diffId, { compression: "gzip", level: 9 }, never, true);
        expect(forced.digest).not.toBe(blob.digest);
        expect(gunzipSync(await current.blobs.readBytes(forced.digest, 1e6))).toEqual(tar);
        expect(await current.layers.blob(diffId, gzip, never, true)).toEqual(blob);
        expect(await current.layers.blob(diffId, { compression: "gzip", level: 9 }, never)).toEqual(blob);
      });

      test("is asked for at another place when the first fails", async () => {
        const { diffId, blob } = await addRemote("g");
        await current.layers.addRemote(diffId, blob, "broken");
        expect(await contentOf(diffId, "d/f")).toBe("g");
        expect(remote.opened).toEqual(["broken", "registry/repository"]);
      });

      test("fails with what its last place says, and can be tried again", async () => {
        const { diffId, blob } = await addRemote("h");
        const bytes = remote.blobs.get(blob.digest) ?? Buffer.alloc(0);
        remote.blobs.delete(blob.digest);
        await expect(current.layers.readable(diffId, never)).rejects.toThrow("404");
        remote.blobs.set(blob.digest, bytes);
        expect(await contentOf(diffId, "d/f")).toBe("h");
      });

      test("is refused when the blob is another one", async () => {
        const { diffId, blob } = await addRemote("i");
        remote.blobs.set(blob.digest, Buffer.alloc(blob.size));
        expect((await rejectionOf(current.layers.readable(diffId, never))).code).toBe("BLOB_DIGEST_MISMATCH");
        expect(await current.blobs.has(blob)).toBe(false);
      });

      test("is refused when the blob does not unpack to its diffID", async () => {
        const { blob } = await addRemote("j");
        const other = asDiffId(digestOf("another layer"));
        await current.layers.addRemote(other, blob, "registry/repository");
        expect((await rejectionOf(current.layers.readable(other, never))).code).toBe("BLOB_DIGEST_MISMATCH");
        expect((await rejectionOf(current.layers.directory(other, never))).code).toBe("BLOB_DIGEST_MISMATCH");
      });

      test("is not fetched after an abort", async () => {
        const { diffId } = await addRemote("k");
        const error = await rejectionOf(current.layers.readable(diffId, AbortSignal.abort()));
        expect(error.code).toBe("BUILD_CANCELLED");
        expect(remote.opened).toEqual([]);
      });
    });

    describe("a blob of a layer", () => {
      test("is compressed once", async () => {
        const { diffId, tar } = await commitTar(file("f", "x".repeat(10_000)));
        const [first, second] = await Promise.all([1, 2].map(() => current.layers.blob(diffId, gzip, never)));
        expect(first).toEqual(second);
        expect(first?.mediaType).toBe(mediaTypes.ociLayerGzip);
        const bytes = await current.blobs.readBytes(first?.digest ?? digestOf(""), 1e6);
        expect(bytes.length).toBe(first?.size);
        expect(gunzipSync(bytes)).toEqual(tar);
        expect(await current.layers.blob(diffId, gzip, never)).toEqual(first);
      });

      test("that is not compressed is the tar", async () => {
        const { diffId, sizeBytes } = await commitTar(file("f", "plain"));
        const blob = await current.layers.blob(diffId, none, never);
        expect(blob).toEqual({ mediaType: mediaTypes.ociLayer, digest: diffId as string, size: sizeBytes });
      });

      test.each([false, true])("has the asked format, whatever was made before (forced: %s)", async (force) => {
        const { diffId } = await commitTar(file("f", "formats"));
        const plain = await current.layers.blob(diffId, none, never);
        const packed = await current.layers.blob(diffId, gzip, never, force);
        expect(packed.mediaType).toBe(mediaTypes.ociLayerGzip);
        expect(await current.layers.blob(diffId, none, never, force)).toEqual(plain);
        expect(await current.layers.blob(diffId, gzip, never, force)).toEqual(packed);
      });

      test("can be made of a directory", async () => {
        const { diffId } = await commitDirectory("packed late");
        const blob = await current.layers.blob(diffId, gzip, never);
        const tar = gunzipSync(await current.blobs.readBytes(blob.digest, 1e6));
        expect(hexOf(digestOf(tar))).toBe(hexOf(diffId));
      });

      test("that got lost is made again", async () => {
        const { diffId } = await commitTar(file("f", "lost"));
        const blob = await current.layers.blob(diffId, gzip, never);
        await current.blobs.quarantine(blob.digest);
        expect(await current.layers.blob(diffId, gzip, never)).toEqual(blob);
        expect(await current.blobs.has(blob)).toBe(true);
      });
    });

    describe("damage", () => {
      test("of a tar is found when it is streamed, and not met again", async () => {
        const { diffId } = await commitTar(file("f", "intact"));
        await damage((await current.layers.readable(diffId, never)).tarFile, 512);
        expect((await rejectionOf(tarOf(diffId))).code).toBe("BLOB_DIGEST_MISMATCH");
        expect(await current.layers.has(diffId)).toBe(false);
      });

      test("of a tar is found when it is unpacked", async () => {
        const { diffId } = await commitTar(file("f", "intact"));
        await damage((await current.layers.readable(diffId, never)).tarFile, 512);
        expect((await rejectionOf(current.layers.directory(diffId, never))).code).toBe("BLOB_DIGEST_MISMATCH");
      });

      test("of a tar does not matter when it can be fetched again", async () => {
        const { diffId } = await addRemote("l");
        await damage((await current.layers.readable(diffId, never)).tarFile, 512);
        expect(readFileSync(join(await current.layers.directory(diffId, never), "d/f"), "utf8")).toBe("l");
      });

      test("of a stored blob does not matter when it can be fetched again", async () => {
        const { diffId, blob } = await addRemote("m");
        await current.layers.blob(diffId, gzip, never);
        await damage(current.blobs.path(blob.digest), 20);
        expect((await rejectionOf(current.layers.readable(diffId, never))).code).toBe("BLOB_DIGEST_MISMATCH");
        expect(await contentOf(diffId, "d/f")).toBe("m");
      });
    });

    test("a layer nobody knows is said to be missing", async () => {
      const diffId = asDiffId(digestOf("nobody"));
      expect(await current.layers.has(diffId)).toBe(false);
      const attempts: readonly (() => Promise<unknown>)[] = [
        () => current.layers.readable(diffId, never),
        () => current.layers.directory(diffId, never),
        () => current.layers.blob(diffId, gzip, never),
        () => current.layers.sizeBytes(diffId),
        () => tarOf(diffId),
      ];
      for (const attempt of attempts) expect((await rejectionOf(attempt())).code).toBe("LAYER_NOT_FOUND");
    });
  });
}

/** Has what a test gives it; origin "broken" has nothing. */
class ScriptedRemote implements RemoteBlobs {
  readonly blobs = new Map<string, Buffer>();
  opened: string[] = [];

  async open(origin: string, blob: Descriptor): Promise<AsyncIterable<Uint8Array>> {
    this.opened.push(origin);
    const bytes = origin === "broken" ? undefined : this.blobs.get(blob.digest);
    if (bytes === undefined) throw new Error("404");
    return (async function* () {
      yield bytes.subarray(0, 10);
      yield bytes.subarray(10);
    })();
  }

  /** Forgets everything. */
  reset(): void {
    this.blobs.clear();
    this.opened = [];
  }
}

async function damage(path: string | null, at: number): Promise<void> {
  if (path === null) throw new Error("no such form");
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}
