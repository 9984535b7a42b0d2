import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withImageWorkshop } from "../../src/engine/image-workshop.ts";
import { squashStoredImage } from "../../src/engine/squash-stored-image.ts";
import { parseImageConfig } from "../../src/image/config-json.ts";
import { listTar } from "../support/list-tar.ts";
import { readOciArchive } from "../support/oci-archive.ts";
import { rejectionOf } from "../support/thrown-by.ts";
import { useEngine } from "../support/use-engine.ts";

const under = useEngine();

/** Makes three layers on busybox, or four layers when its stage `late` is built. */
const dockerfile = `
FROM busybox AS early
COPY a /d/a
FROM early
COPY b /d/b
LABEL between=1
COPY c /d/a
`;
const context = (): string => under.directory({ Dockerfile: dockerfile, a: "one", b: "two", c: "three" });

/** Config and layers of what a build makes, its layers as names with contents. */
async function buildArchive(...flags: readonly string[]) {
  const archive = join(under.path, "image.tar");
  const build = await under.build(...flags, "-o", `type=oci,dest=${archive}`);
  const [image] = await readOciArchive(archive);
  if (image === undefined) throw new Error("no image");
  const layers = image.layers.map((layer) => listTar(layer).map(({ name, content }) => `${name} ${content}`));
  return { ...build, layers, config: parseImageConfig(Buffer.from(JSON.stringify(image.config))) };
}

describe("build --squash", () => {
  test("merges the layers of the build and keeps those of the base", async () => {
    const directory = context();
    const plain = await buildArchive(directory);
    const squashed = await buildArchive("--squash", directory);
    expect(plain.layers).toHaveLength(4);
    expect(squashed.layers).toHaveLength(2);
    expect(squashed.config.diffIds[0]).toBe(plain.config.diffIds[0]);
    expect(squashed.layers[1]).toEqual(["d/ ", "d/a three", "d/b two"]);
    expect(squashed.receipt.squashed).toMatchObject([{ keptLayers: 1, mergedLayers: 3 }]);
  });

  test("the cache stays, for builds with and without it, and the image is the same again", async () => {
    const directory = context();
    const first = await buildArchive("--squash", directory);
    expect((await under.build(directory)).ran).toEqual([]);
    const again = await buildArchive("--squash", directory);
    expect(again.ran).toEqual([]);
    expect(again.receipt.images).toEqual(first.receipt.images);
  });

  test("two stores make the same image", async () => {
    const directory = context();
    const output = `type=oci,dest=${join(under.path, "image.tar")},rewrite-timestamp=true`;
    const flags = ["--squash", "--build-arg", "SOURCE_DATE_EPOCH=9", "-o", output, directory];
    const other = await under.another();
    const [here, there] = [await under.build(...flags), await other.build(...flags)];
    expect(there.receipt.outputs).toEqual(here.receipt.outputs);
  });

  test("history keeps its rows, without layers, and a last one has the layer", async () => {
    const directory = context();
    const plain = await buildArchive(directory);
    const { config } = await buildArchive("--squash", directory);
    const before = plain.config.history;
    expect(config.history.slice(0, -1).map(({ createdBy }) => createdBy)).toEqual(
      before.map(({ createdBy }) => createdBy),
    );
    expect(config.history.filter(({ emptyLayer }) => !emptyLayer)).toHaveLength(2);
    expect(config.history.at(-1)).toMatchObject({
      createdBy: "",
      comment: `3 layers merged on top of ${config.diffIds[0]}`,
      emptyLayer: false,
    });
    expect(config.created).toBe(plain.config.created);
    expect(config.config).toEqual(plain.config.config);
  });

  test("all makes one layer", async () => {
    const { layers, config } = await buildArchive("--squash=all", context());
    expect(layers).toHaveLength(1);
    expect(config.diffIds).toHaveLength(1);
    expect(layers[0]).toContain("d/a three");
  });

  test("from: keeps the layers of the stage", async () => {
    const directory = context();
    const plain = await buildArchive(directory);
    const { config } = await buildArchive("--squash=from:early", directory);
    expect(config.diffIds.slice(0, 2)).toEqual(plain.config.diffIds.slice(0, 2));
    expect(config.diffIds).toHaveLength(3);
  });

  test("from: a stage that is not there, or not below, fails", async () => {
    const directory = under.directory({ Dockerfile: "FROM busybox AS one\nFROM busybox AS two\nCOPY Dockerfile /\n" });
    for (const [stage, problem] of [
      ["none", "no such stage"],
      ["one", "not built on it"],
    ]) {
      const error = await rejectionOf(under.build(`--squash=from:${stage}`, directory));
      expect([error.code, error.message.includes(problem ?? "")]).toEqual(["STAGE_NOT_FOUND", true]);
    }
  });

  test("a single layer stays what it is", async () => {
    const directory = under.directory({ Dockerfile: "FROM busybox\nCOPY Dockerfile /\n" });
    const plain = await under.build(directory);
    const squashed = await under.build("--squash", directory);
    expect(squashed.receipt.images).toEqual(plain.receipt.images);
    expect(squashed.receipt.squashed).toMatchObject([{ mergedLayers: 1, keptLayers: 1 }]);
  });

  test("times are rewritten in what was squashed", async () => {
    const archive = join(under.path, "image.tar");
    const output = `type=oci,dest=${archive},rewrite-timestamp=true`;
    await under.build("--squash", "--build-arg", "SOURCE_DATE_EPOCH=9", "-o", output, context());
    const [image] = await readOciArchive(archive);
    expect(image?.layers.slice(1).flatMap((layer) => listTar(layer).map(({ mtime }) => mtime))).toEqual([9, 9, 9]);
  });
});

describe("squashing a stored image", () => {
  const squash = (from: string | null, name = "docker.io/demo/squashed:latest") =>
    withImageWorkshop({ root: under.root, environment: {} }, new AbortController().signal, async (workshop) => {
      const [image] = await workshop.store.images.find("docker.io/demo/app:latest");
      if (image === undefined) throw new Error("no image");
      const never = new AbortController().signal;
      const result = await squashStoredImage(image, from, [name], workshop, never);
      const [stored] = await workshop.store.images.find(name);
      return { ...result, before: image.platforms, after: stored?.platforms ?? [] };
    });

  test.each([
    ["all", () => null, 0],
    ["the last two", () => "2", 2],
    ["what stands on a layer", (diffIds: readonly string[]) => diffIds[1]?.slice(0, 20) ?? "", 2],
    ["what stands on an image", () => "demo/early", 2],
  ])("merges %s, on every platform", async (_name, from, kept) => {
    const directory = context();
    const platforms = "--platform=linux/amd64,linux/arm64";
    await under.build("-t", "demo/early", "--target", "early", platforms, directory);
    await under.build("-t", "demo/app", platforms, directory);
    const first = await squash(null);
    const { before, after, reports } = await squash(from(first.before[0]?.diffIds ?? []));
    expect(after).toHaveLength(2);
    for (const [at, { diffIds }] of after.entries())
      expect([diffIds.length, diffIds.slice(0, kept)]).toEqual([kept + 1, before[at]?.diffIds.slice(0, kept)]);
    expect(reports.map(({ mergedLayers }) => mergedLayers)).toEqual([4 - kept, 4 - kept]);
  });

  test.each(["9", "beef", "demo/none", "1.5"])("--from %s fails", async (from) => {
    await under.build("-t", "demo/app", context());
    expect((await rejectionOf(squash(from))).code).toBe("USAGE_INVALID");
  });
});
