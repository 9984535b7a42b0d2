import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { type ImageWorkshop, withImageWorkshop } from "../../src/engine/image-workshop.ts";
import { loadImages } from "../../src/engine/load-images.ts";
import { saveImages } from "../../src/engine/save-images.ts";
import { verifyStoredImage } from "../../src/engine/verify-image.ts";
import type { StoredImage } from "../../src/store/image-store.ts";
import { useEngine } from "../support/use-engine.ts";
import { useRegistry } from "../support/use-registry.ts";
import { problemsIn, writeLayout } from "../support/verify-archive.ts";

const under = useEngine();
const registry = useRegistry();
const never = new AbortController().signal;
const name = "docker.io/demo/app:latest";

const context = (): string => under.directory({ Dockerfile: "FROM busybox\nCOPY a /d/a\nCOPY a /d/b\n", a: "x" });

const inWorkshop = <T>(work: (workshop: ImageWorkshop) => Promise<T>): Promise<T> =>
  withImageWorkshop({ root: under.root, environment: {} }, never, work);

async function stored({ store }: ImageWorkshop): Promise<StoredImage> {
  const image = await store.images.get(name);
  if (image === null) throw new Error("the image is not stored");
  return image;
}

const codes = (): Promise<readonly string[]> =>
  inWorkshop(async (workshop) =>
    (await verifyStoredImage(await stored(workshop), workshop, never)).map(({ code }) => code),
  );

test("a built image has no problem, nor has a squashed one, on any platform", async () => {
  const directory = context();
  await under.build("-t", "demo/app", "--platform=linux/amd64,linux/arm64", directory);
  expect(await codes()).toEqual([]);
  await under.build("-t", "demo/app", "--squash=all", directory);
  expect(await codes()).toEqual([]);
});

test("what the store has of an image is held to its digests, and the index to the tar", async () => {
  await under.build("-t", "demo/app", context());
  const { tarFile, indexFile } = await inWorkshop(async (workshop) => {
    const { platforms } = await stored(workshop);
    return workshop.layers.readable(platforms[0]?.diffIds[1] ?? ("" as never), never);
  });
  const tar = readFileSync(tarFile ?? "");
  const damaged = Buffer.from(tar);
  damaged[140] = (damaged[140] ?? 0) ^ 1;
  writeFileSync(tarFile ?? "", damaged);
  expect(await codes()).toEqual(["TAR_FORMAT", "DIFF_ID"]);
  writeFileSync(tarFile ?? "", tar);
  writeFileSync(indexFile, readFileSync(indexFile, "utf8").replaceAll('"d/a"', '"d/Z"'));
  // The store itself notices a changed index, and makes it again from the tar.
  expect(await codes()).toEqual([]);
});

test("what is saved and loaded again has no problem", async () => {
  await under.build("-t", "demo/app", context());
  for (const format of ["docker", "oci"] as const) {
    const archive = join(under.path, `${format}.tar`);
    await inWorkshop(async (workshop) => {
      const { platforms } = await stored(workshop);
      await saveImages([{ platforms, name }], format, archive, new PassThrough(), workshop, never);
    });
    expect(await problemsIn(archive, false)).toEqual([]);
    const other = await under.another();
    await withImageWorkshop({ root: other.root, environment: {} }, never, async (workshop) => {
      await loadImages(archive, new PassThrough(), null, workshop, never);
      expect(await verifyStoredImage(await stored(workshop), workshop, never)).toEqual([]);
    });
  }
});

test("what is pushed has no problem", async () => {
  await under.build("--push", "-t", `${registry.current.host}/ns/app:1`, context());
  const layout = join(under.path, "layout");
  writeLayout(registry.current, "1", layout);
  expect(await problemsIn(layout, false)).toEqual([]);
});
