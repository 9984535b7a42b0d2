import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { asDiffId, digestOf } from "../../src/base/digest.ts";
import type { Output } from "../../src/output/output.ts";
import { dir, file } from "../support/layer-builder.ts";
import { listTree } from "../support/list-tree.ts";
import type { StoredImages } from "../support/stored-images.ts";
import { rejectionOf } from "../support/thrown-by.ts";
import { problemsIn } from "../support/verify-archive.ts";

export interface OutputSuite {
  readonly images: StoredImages;
  /** The output under test, with its destination in `directory`. */
  open(directory: string): Output;
  /** Whether the digest of a manifest is part of the receipt. */
  readonly hasManifest: boolean;
}

const never = new AbortController().signal;

/** What every Output that writes to files holds to. `use` sets up a fresh store for each test. */
export function describeOutput(name: string, use: () => OutputSuite): void {
  describe(`${name} is an Output`, () => {
    const suite = use();
    const makeImage = () =>
      suite.images.make("amd64", [dir("d"), file("d/a", "lower")], [dir("d"), file("d/b", "upper")]);

    /** A fresh directory and what is in it. */
    function outDirectory(): { readonly path: string; list(): readonly string[] } {
      const path = join(suite.images.path, "out");
      mkdirSync(path);
      return { path, list: () => listTree(path) };
    }

    test("writes an image and says so", async () => {
      const out = outDirectory();
      const receipt = await suite.open(out.path).write([await makeImage()], never);
      expect(out.list()).not.toEqual([]);
      expect(receipt.summary).not.toBe("");
      expect(receipt.manifest !== null).toBe(suite.hasManifest);
    });

    test("writes what holds when every byte is checked", async () => {
      const out = outDirectory();
      const receipt = await suite.open(out.path).write([await makeImage()], never);
      if (receipt.manifest === null) return;
      for (const name of readdirSync(out.path)) expect(await problemsIn(join(out.path, name))).toEqual([]);
    });

    test("writes the same for the same image, also over an earlier output", async () => {
      const out = outDirectory();
      const image = await makeImage();
      const first = await suite.open(out.path).write([image], never);
      const written = out.list();
      const second = await suite.open(out.path).write([image], never);
      expect(out.list()).toEqual(written);
      expect(second.manifest).toBe(first.manifest);
    });

    test("writes an image without layers", async () => {
      const out = outDirectory();
      const receipt = await suite.open(out.path).write([await suite.images.make("amd64")], never);
      expect(receipt.summary).not.toBe("");
    });

    test("changes nothing when a layer is missing", async () => {
      const out = outDirectory();
      const image = await makeImage();
      const broken = { ...image, diffIds: [...image.diffIds, asDiffId(digestOf("missing"))] };
      expect((await rejectionOf(suite.open(out.path).write([broken], never))).code).toBe("LAYER_NOT_FOUND");
      expect(out.list()).toEqual([]);
    });

    test("changes nothing when a layer turns out to be damaged, and neither with an earlier output there", async () => {
      const out = outDirectory();
      const image = await makeImage();
      await suite.open(out.path).write([image], never);
      const before = out.list();
      const other = await suite.images.make("amd64", [file("damaged", "content")]);
      const { tarFile } = await suite.images.layers.readable(other.diffIds[0] ?? asDiffId(digestOf("")), never);
      writeFileSync(tarFile ?? "", Buffer.alloc(2048, 0x61));
      expect((await rejectionOf(suite.open(out.path).write([other], never))).code).toBe("BLOB_DIGEST_MISMATCH");
      expect(out.list()).toEqual(before);
    });

    test("changes nothing after an abort", async () => {
      const out = outDirectory();
      const image = await makeImage();
      const error = await rejectionOf(suite.open(out.path).write([image], AbortSignal.abort()));
      expect(error.code).toBe("BUILD_CANCELLED");
      expect(out.list()).toEqual([]);
    });

    test("says what is wrong with a destination below a file", async () => {
      const out = outDirectory();
      rmSync(out.path, { recursive: true });
      writeFileSync(out.path, "a file");
      const error = await rejectionOf(suite.open(out.path).write([await makeImage()], never));
      expect(error.code).toBe("EXPORT_DESTINATION_INVALID");
    });
  });
}
