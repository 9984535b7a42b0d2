import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { digestOf, parseDiffId } from "../../../src/base/digest.ts";
import type { StoredImage } from "../../../src/store/image-store.ts";
import { rejectionOf } from "../../support/thrown-by.ts";
import { useStore } from "../../support/use-store.ts";

const stores = useStore();
const imageOf = (config: string): Omit<StoredImage, "reference"> => ({
  platforms: [
    {
      platform: { os: "linux", architecture: "arm64", variant: "", osVersion: "" },
      imageId: digestOf(config),
      diffIds: [parseDiffId(digestOf("layer"))],
      annotations: new Map([["__proto__", "x"]]),
    },
  ],
  createdAtMs: 5,
  manifests: [digestOf(`manifest of ${config}`)],
});
const app = "docker.io/ns/app:latest";

describe("an image", () => {
  test("is found again as it was", async () => {
    expect(await stores.store.images.get(app)).toBeNull();
    await stores.store.images.tag(app, imageOf("a"));
    expect(await stores.store.images.get(app)).toEqual({ reference: app, ...imageOf("a") });
  });

  test("takes a name over", async () => {
    await stores.store.images.tag(app, imageOf("a"));
    await stores.store.images.tag(app, imageOf("b"));
    expect(await stores.store.images.list()).toEqual([{ reference: app, ...imageOf("b") }]);
  });

  test("keeps the time it got its name, and its file, when it is given that again", async () => {
    await stores.store.images.tag(app, imageOf("a"));
    const directory = join(stores.store.root, "images");
    const inodes = (): readonly number[] => readdirSync(directory).map((name) => statSync(join(directory, name)).ino);
    const before = inodes();
    await stores.store.images.tag(app, { ...imageOf("a"), createdAtMs: 6 });
    expect([inodes(), (await stores.store.images.get(app))?.createdAtMs]).toEqual([before, 5]);
    await stores.store.images.tag(app, { ...imageOf("a"), createdAtMs: 6, manifests: [] });
    expect((await stores.store.images.get(app))?.createdAtMs).toBe(6);
  });

  test("is listed by reference", async () => {
    for (const name of ["docker.io/b:1", "docker.io/a:1", "docker.io/A:1"])
      await stores.store.images.tag(name, imageOf(name));
    const references = (await stores.store.images.list()).map(({ reference }) => reference);
    expect(references).toEqual(["docker.io/A:1", "docker.io/a:1", "docker.io/b:1"]);
  });

  test("is forgotten", async () => {
    await stores.store.images.tag(app, imageOf("a"));
    expect(await stores.store.images.untag(app)).toBe(true);
    expect(await stores.store.images.untag(app)).toBe(false);
    expect(await stores.store.images.list()).toEqual([]);
  });

  test("is reported, not passed over, when its record is damaged", async () => {
    await stores.store.images.tag(app, imageOf("a"));
    const directory = join(stores.store.root, "images");
    const path = join(directory, readdirSync(directory)[0] ?? "");
    writeFileSync(path, readFileSync(path, "utf8").replace("arm64", "amd64"));
    expect((await rejectionOf(stores.store.images.get(app))).code).toBe("STORE_RECORD_INVALID");
    expect((await rejectionOf(stores.store.images.list())).code).toBe("STORE_RECORD_INVALID");
    expect(await stores.store.images.untag(app)).toBe(true);
    expect(await stores.store.images.list()).toEqual([]);
  });
});

describe("finding an image", () => {
  const [id, manifest] = [digestOf("a"), digestOf("manifest of a")];
  test.each([
    ["its reference", app],
    ["its image ID", id],
    ["its image ID without algorithm", id.slice(7)],
    ["the beginning of its image ID", id.slice(7, 19)],
    ["the beginning with algorithm", id.slice(0, 19)],
    ["a manifest's digest", manifest],
  ])("by %s", async (_, text) => {
    await stores.store.images.tag(app, imageOf("a"));
    await stores.store.images.tag("docker.io/ns/other:1", imageOf("b"));
    expect((await stores.store.images.find(text)).map(({ reference }) => reference)).toEqual([app]);
  });

  test("by ID gives all its names", async () => {
    await stores.store.images.tag(app, imageOf("a"));
    await stores.store.images.tag("docker.io/ns/app:2", imageOf("a"));
    expect(await stores.store.images.find(id)).toHaveLength(2);
  });

  test.each(["docker.io/ns/none:1", "abc", "ffffffffffff", "sha256:", "../../etc"])(
    "says that %j is not there",
    async (text) => {
      await stores.store.images.tag(app, imageOf("a"));
      expect((await rejectionOf(stores.store.images.find(text))).code).toBe("IMAGE_NOT_FOUND");
    },
  );

  test("refuses a beginning that fits several", async () => {
    const byStart = new Map<string, string>();
    let start: string | null = null;
    for (let at = 0; start === null; at += 1) {
      const found = digestOf(String(at)).slice(7, 11);
      const other = byStart.get(found);
      byStart.set(found, String(at));
      if (other === undefined) continue;
      await stores.store.images.tag("docker.io/x:1", imageOf(other));
      await stores.store.images.tag("docker.io/x:2", imageOf(String(at)));
      start = found;
    }
    const error = await rejectionOf(stores.store.images.find(start));
    expect(error.code).toBe("IMAGE_NOT_FOUND");
    expect(error.message).toContain("2 images");
  });
});
