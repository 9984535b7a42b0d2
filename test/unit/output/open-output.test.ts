import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { checkDestination, openOutput } from "../../../src/output/open-output.ts";
import { parseOutputFlag } from "../../../src/output/parse-output-flag.ts";
import { file } from "../../support/layer-builder.ts";
import { listTree } from "../../support/list-tree.ts";
import { useStoredImages } from "../../support/stored-images.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const images = useStoredImages();
const never = new AbortController().signal;

describe("a destination is checked before the build", () => {
  const check = (flag: string) => checkDestination(parseOutputFlag(flag.replace("@", images.path)));

  function prepare(): void {
    mkdirSync(join(images.path, "dir/sub"), { recursive: true });
    writeFileSync(join(images.path, "file"), "");
    mkdirSync(join(images.path, "layout"));
    writeFileSync(join(images.path, "layout/oci-layout"), "");
  }

  test.each([
    "type=oci,dest=@/new.tar",
    "type=oci,dest=@/file",
    "type=oci,dest=-",
    "type=tar,dest=/dev/null",
    "type=local,dest=@/new/deep",
    "type=local,dest=@/dir",
    "type=oci,tar=false,dest=@/layout",
    "type=oci,tar=false,dest=@/new",
    "type=oci,tar=false,dest=@/dir/sub",
    "type=image",
  ])("%s is fine", async (flag) => {
    prepare();
    const before = listTree(images.path);
    await check(flag);
    expect(listTree(images.path)).toEqual(before);
  });

  test.each([
    ["type=oci,dest=@/missing/new.tar", "make the directory first"],
    ["type=oci,dest=@/dir", undefined],
    ["type=oci,dest=@/new/", undefined],
    ["type=oci,dest=@/file/new.tar", undefined],
    ["type=local,dest=@/file", undefined],
    ["type=local,dest=@/file/sub", undefined],
    ["type=oci,tar=false,dest=@/dir", "holds an OCI layout"],
  ])("%s is not", async (flag, hint) => {
    prepare();
    const error = await rejectionOf(check(flag));
    expect(error.code).toBe("EXPORT_DESTINATION_INVALID");
    if (hint !== undefined) expect(error.hint).toContain(hint);
  });

  const isRoot = process.geteuid?.() === 0;
  test.skipIf(isRoot)(
    `a read-only directory is not${isRoot ? " (skipped: root may write anywhere)" : ""}`,
    async () => {
      prepare();
      chmodSync(join(images.path, "dir"), 0o555);
      expect((await rejectionOf(check("type=oci,dest=@/dir/x.tar"))).code).toBe("EXPORT_DESTINATION_INVALID");
    },
  );
});

describe("an image goes to the store", () => {
  const open = (flag: string, names: readonly string[]) =>
    openOutput(parseOutputFlag(flag), {
      layers: images.layers,
      blobs: images.store.blobs,
      images: images.store.images,
      runner: images.runner,
      stdout: new PassThrough(),
      names,
      push: () => Promise.reject(new Error("nothing is pushed here")),
      nowMs: () => 1234.5,
      epoch: null,
    });

  test("under every name, with its config", async () => {
    const image = await images.make("amd64", [file("a", "1")]);
    const receipt = await open("type=image", ["docker.io/ns/a:1", "docker.io/ns/b:2"])?.write([image], never);
    expect(receipt?.summary).toContain("docker.io/ns/b:2");
    const stored = await images.store.images.list();
    expect(stored.map(({ reference }) => reference)).toEqual(["docker.io/ns/a:1", "docker.io/ns/b:2"]);
    expect(stored[0]).toMatchObject({
      createdAtMs: 1234,
      platforms: [{ imageId: image.imageId, diffIds: image.diffIds }],
    });
    expect(await images.store.blobs.readBytes(image.imageId, 1e6)).toEqual(Buffer.from(image.config));
  });

  test("under the flag's own name rather than the build's", async () => {
    await open("type=image,name=ns/own", ["docker.io/ns/tag:1"])?.write([await images.make("amd64")], never);
    expect((await images.store.images.list()).map(({ reference }) => reference)).toEqual(["docker.io/ns/own:latest"]);
  });

  test("not when only the cache is wanted", () => {
    expect(open("type=cacheonly", [])).toBeNull();
    expect(open("type=image,store=false", [])).toBeNull();
  });
});
