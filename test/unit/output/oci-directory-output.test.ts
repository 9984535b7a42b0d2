import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ociDirectoryOutput } from "../../../src/output/oci-directory-output.ts";
import type { PlatformImage } from "../../../src/output/output.ts";
import { file } from "../../support/layer-builder.ts";
import { useStoredImages } from "../../support/stored-images.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const images = useStoredImages();
const layout = (name = ""): string => join(images.path, "layout", name);

const write = (image: PlatformImage, ...names: readonly string[]) =>
  ociDirectoryOutput(
    {
      destination: layout(),
      names,
      compression: { format: { compression: "gzip", level: null }, force: false },
      annotations: [],
      ociMediaTypes: true,
    },
    images.layers,
    images.store.blobs,
  ).write([image], new AbortController().signal);

const entries = (): readonly string[] =>
  JSON.parse(readFileSync(layout("index.json"), "utf8")).manifests.map(
    (entry: { digest: string; annotations: Record<string, string> }) =>
      `${entry.annotations["io.containerd.image.name"] ?? "-"} ${entry.digest}`,
  );

test("a layout holds every blob its index leads to", async () => {
  const receipt = await write(await images.make("amd64", [file("a", "1")]), "docker.io/ns/app:1");
  expect(entries()).toEqual([`docker.io/ns/app:1 ${receipt.manifest}`]);
  expect(readdirSync(layout()).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  expect(readdirSync(layout("blobs/sha256"))).toHaveLength(3);
});

test("a layout keeps images of other names and replaces those of the same", async () => {
  const one = await write(await images.make("amd64", [file("a", "1")]), "docker.io/ns/app:1");
  const two = await write(await images.make("amd64", [file("a", "2")]), "docker.io/ns/app:2");
  const three = await write(await images.make("amd64", [file("a", "3")]), "docker.io/ns/app:1");
  expect(one.manifest).not.toBe(three.manifest);
  expect(entries()).toEqual([`docker.io/ns/app:2 ${two.manifest}`, `docker.io/ns/app:1 ${three.manifest}`]);
});

test("an image without a name is listed once, however often it is written", async () => {
  const image = await images.make("amd64", [file("a", "1")]);
  const { manifest } = await write(image);
  await write(image);
  expect(entries()).toEqual([`- ${manifest}`]);
});

test("a directory with other things in it is left alone", async () => {
  mkdirSync(layout());
  writeFileSync(layout("notes"), "");
  const error = await rejectionOf(write(await images.make("amd64"), "docker.io/ns/app:1"));
  expect(error.code).toBe("EXPORT_DESTINATION_INVALID");
  expect(readdirSync(layout())).toEqual(["notes"]);
});
