import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Digest, digestOf, hexOf } from "../../../src/base/digest.ts";
import type { Descriptor } from "../../../src/image/descriptor.ts";
import { mediaTypes } from "../../../src/image/media-types.ts";
import {
  findInOciLayout,
  openOciLayout,
  openOciLayoutBlob,
  parseOciLayoutReference,
  readOciLayoutBlob,
} from "../../../src/image/oci-layout.ts";
import { collect } from "../../support/registry-client.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf, thrownBy } from "../../support/thrown-by.ts";

const directory = useTemporaryDirectory();
const signal = new AbortController().signal;

function addBlob(content: string, mediaType: string = mediaTypes.ociManifest): Descriptor {
  mkdirSync(join(directory.path, "blobs", "sha256"), { recursive: true });
  const digest = digestOf(content);
  writeFileSync(pathOf(digest), content);
  return { mediaType, digest, size: content.length };
}

const pathOf = (digest: Digest): string => join(directory.path, "blobs", "sha256", hexOf(digest));

function writeLayout(manifests: readonly object[], version = "1.0.0"): void {
  writeFileSync(join(directory.path, "oci-layout"), JSON.stringify({ imageLayoutVersion: version }));
  writeFileSync(join(directory.path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

const tagged = (blob: Descriptor, tag: string): object => ({
  ...blob,
  annotations: { "org.opencontainers.image.ref.name": tag },
});
const find = async (tag: string | null, digest: Digest | null): Promise<Descriptor | null> =>
  findInOciLayout(await openOciLayout(directory.path), tag, digest);

const digest = digestOf("x");

test.each([
  ["oci-layout://out", "out", null, null],
  ["oci-layout:///a/b.c/out:v1", "/a/b.c/out", "v1", null],
  [`oci-layout://./out@${digest}`, "./out", null, digest],
  [`oci-layout://out:v1@${digest}`, "out", "v1", digest],
  ["/a:b/out", "/a:b/out", null, null],
])("%s names the layout %s", (text, path, tag, wanted) => {
  expect(parseOciLayoutReference(text)).toEqual({ directory: path, tag, digest: wanted });
});

test.each(["oci-layout://", "oci-layout://:v1", "oci-layout://a\0b", "oci-layout://out@sha256:12"])(
  "%j names no layout",
  (text) => {
    expect(thrownBy(() => parseOciLayoutReference(text)).code).toBe("REFERENCE_INVALID");
  },
);

describe("finding an image", () => {
  test("by tag, by the tag latest, by digest", async () => {
    const [one, two] = [addBlob("1"), addBlob("2")];
    writeLayout([tagged(one, "latest"), tagged(two, "v2")]);
    expect((await find("v2", null))?.digest).toBe(two.digest);
    expect((await find(null, null))?.digest).toBe(one.digest);
    expect((await find("v2", one.digest))?.digest).toBe(one.digest);
  });

  test("the only one needs no tag", async () => {
    const one = addBlob("1");
    writeLayout([one]);
    expect((await find(null, null))?.digest).toBe(one.digest);
  });

  test("images by platform without tags are one image", async () => {
    writeLayout([addBlob("1"), addBlob("2")]);
    expect(await find(null, null)).toBeNull();
  });

  test("a digest that index.json does not list is looked for among the blobs", async () => {
    const blob = addBlob(JSON.stringify({ mediaType: mediaTypes.ociManifest }));
    writeLayout([]);
    expect(await find(null, blob.digest)).toEqual(blob);
    expect((await rejectionOf(find(null, digest))).code).toBe("SOURCE_NOT_FOUND");
  });

  test("a missing tag is told with those there are", async () => {
    writeLayout([tagged(addBlob("1"), "a"), tagged(addBlob("2"), "b")]);
    expect(await rejectionOf(find("c", null))).toMatchObject({ code: "SOURCE_NOT_FOUND", hint: "it has a, b" });
  });
});

describe("a layout is refused", () => {
  test("when it is not there", async () => {
    expect((await rejectionOf(openOciLayout(join(directory.path, "no")))).code).toBe("SOURCE_NOT_FOUND");
  });

  test("of another version", async () => {
    writeLayout([], "2.0.0");
    expect((await rejectionOf(openOciLayout(directory.path))).message).toContain('got version "2.0.0", want 1.x');
  });

  test("with an index.json of 500 MB, without reading it", async () => {
    writeLayout([]);
    truncateSync(join(directory.path, "index.json"), 500e6);
    expect((await rejectionOf(openOciLayout(directory.path))).message).toContain(
      "got 500000000 bytes, want at most 4194304",
    );
  });

  test("with an index.json that is a link or a pipe", async () => {
    writeLayout([]);
    const file = join(directory.path, "index.json");
    renameSync(file, join(directory.path, "other"));
    symlinkSync("other", file);
    expect((await rejectionOf(openOciLayout(directory.path))).message).toContain("is a symbolic link");
    renameSync(file, join(directory.path, "link"));
    execFileSync("mkfifo", [file]);
    expect((await rejectionOf(openOciLayout(directory.path))).message).toContain("not a regular file");
  });
});

describe("a blob", () => {
  test("is read and streamed", async () => {
    const blob = addBlob("content");
    expect(Buffer.from(await readOciLayoutBlob(directory.path, blob, 7)).toString()).toBe("content");
    expect((await collect(await openOciLayoutBlob(directory.path, blob, signal))).toString()).toBe("content");
  });

  test("may be empty", async () => {
    expect(await collect(await openOciLayoutBlob(directory.path, addBlob(""), signal))).toHaveLength(0);
  });

  test("is refused when it has other bytes, another size, is too large or missing", async () => {
    const blob = addBlob("content");
    expect((await rejectionOf(readOciLayoutBlob(directory.path, blob, 6))).code).toBe("BLOB_TOO_LARGE");
    writeFileSync(pathOf(blob.digest), "CONTENT");
    expect((await rejectionOf(readOciLayoutBlob(directory.path, blob, 7))).code).toBe("BLOB_DIGEST_MISMATCH");
    writeFileSync(pathOf(blob.digest), "content!");
    expect((await rejectionOf(openOciLayoutBlob(directory.path, blob, signal))).code).toBe("BLOB_DIGEST_MISMATCH");
    expect((await rejectionOf(openOciLayoutBlob(directory.path, { ...blob, digest }, signal))).code).toBe(
      "SOURCE_NOT_FOUND",
    );
  });

  test("is refused when it is a link, in a linked directory, or a directory", async () => {
    const blob = addBlob("content");
    const outside = join(directory.path, "outside");
    renameSync(pathOf(blob.digest), outside);
    symlinkSync(outside, pathOf(blob.digest));
    expect((await rejectionOf(openOciLayoutBlob(directory.path, blob, signal))).message).toContain(
      "is a symbolic link",
    );
    const real = join(directory.path, "blobs", "real");
    renameSync(join(directory.path, "blobs", "sha256"), real);
    symlinkSync("real", join(directory.path, "blobs", "sha256"));
    expect((await rejectionOf(openOciLayoutBlob(directory.path, blob, signal))).message).toContain(
      "is not a directory",
    );
  });
});
