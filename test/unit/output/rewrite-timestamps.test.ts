import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import { parseImageConfig } from "../../../src/image/config-json.ts";
import { clampLayerTimes, clampLayerTimesTask } from "../../../src/layer/clamp-layer-times.ts";
import { openOutput } from "../../../src/output/open-output.ts";
import { parseOutputFlag } from "../../../src/output/parse-output-flag.ts";
import { rewriteTimestamps } from "../../../src/output/rewrite-timestamps.ts";
import { bindTask, functionRunner } from "../../support/function-runner.ts";
import { dir, file, hardlink, symlink, whiteout } from "../../support/layer-builder.ts";
import { listTar } from "../../support/list-tar.ts";
import { readOciArchive } from "../../support/oci-archive.ts";
import { useStoredImages } from "../../support/stored-images.ts";

const images = useStoredImages();
const runner = functionRunner(bindTask(clampLayerTimesTask, clampLayerTimes));
const never = new AbortController().signal;
const young = { mtimeSeconds: 2000 };
const old = { mtimeSeconds: 500 };

test("layers of the build get no time after the epoch, those of the base and everything else stay", async () => {
  const image = await images.make(
    "amd64",
    [file("base", "b", young)],
    [dir("d", young), file("d/old", "1", old), file("d/young", "2", young), hardlink("d/z", "d/young", young)],
    [symlink("l", "d", young), whiteout("base")],
  );
  const rewritten = await rewriteTimestamps(image, 1, 1000, images.layers, runner, never);

  expect(rewritten.diffIds[0]).toBe(image.diffIds[0]);
  expect(rewritten.diffIds[1]).not.toBe(image.diffIds[1]);
  expect(rewritten.imageId).toBe(digestOf(rewritten.config));
  const before = parseImageConfig(image.config);
  expect(parseImageConfig(rewritten.config)).toEqual({ ...before, diffIds: rewritten.diffIds });

  const archive = join(images.path, "image.tar");
  const output = openOutput(parseOutputFlag(`type=oci,dest=${archive}`), {
    layers: images.layers,
    blobs: images.store.blobs,
    images: images.store.images,
    runner: images.runner,
    stdout: new PassThrough(),
    names: [],
    push: () => Promise.reject(new Error("nothing is pushed here")),
    nowMs: Date.now,
    epoch: 1000,
  });
  await output?.write([rewritten], never);
  const [archived] = await readOciArchive(archive);
  const [base, ...own] = (archived?.layers ?? []).map((layer) =>
    listTar(layer).map(({ name, mtime, link, content }) => `${name} ${mtime} ${link}${content}`),
  );
  expect(base).toEqual(["base 2000 b"]);
  expect(own).toEqual([
    ["d/ 1000 ", "d/old 500 1", "d/young 1000 2", "d/z 1000 d/young"],
    [".wh.base 0 ", "l 1000 d"],
  ]);
  const layers = archived?.manifest.layers as readonly { readonly annotations?: object }[];
  expect(layers.map(({ annotations }) => annotations)).toEqual([
    undefined,
    { "buildkit/rewritten-timestamp": "1000" },
    { "buildkit/rewritten-timestamp": "1000" },
  ]);
});

test("an image that is old enough stays what it is", async () => {
  const image = await images.make("amd64", [file("a", "1", old)]);
  const rewritten = await rewriteTimestamps(image, 0, 1000, images.layers, runner, never);
  expect([rewritten.imageId, rewritten.diffIds]).toEqual([image.imageId, image.diffIds]);
});
