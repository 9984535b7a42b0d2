import { expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import { labelFilter, parseImageFilters, referenceFilter } from "../../../src/cli/image-filter.ts";
import { listImageRows } from "../../../src/cli/image-rows.ts";
import { serializeImageConfig } from "../../../src/image/config-json.ts";
import type { Store } from "../../../src/store/open-store.ts";
import { rejectionOf, thrownBy } from "../../support/thrown-by.ts";
import { useStore } from "../../support/use-store.ts";

const stores = useStore();
const platform = { os: "linux", architecture: "amd64", variant: "", osVersion: "" };
const nowMs = Date.parse("2024-05-10T00:00:00Z");

async function addImage(
  store: Store,
  name: string,
  created: string,
  labels: readonly [string, string][],
): Promise<void> {
  const config = { Labels: new Map(labels) };
  const bytes = serializeImageConfig({ platform, author: "", created, config, history: [], diffIds: [] });
  await store.blobs.putBytes(bytes);
  const platforms = [{ platform, imageId: digestOf(bytes), diffIds: [], annotations: new Map() }];
  await store.images.tag(name, { platforms, createdAtMs: nowMs, manifests: [digestOf(Buffer.from(name))] });
}

async function storeWithImages(): Promise<Store> {
  const { store } = stores;
  await addImage(store, "docker.io/ns/old:1", "2024-05-01T00:00:00Z", [["stage", "ci"]]);
  await addImage(store, "docker.io/library/mid:latest", "2024-05-05T00:00:00Z", [["stage", ""]]);
  await addImage(store, "host.example/ns/new:2", "2024-05-09T12:00:00Z", []);
  return store;
}

const namesOf = async (...flags: string[]): Promise<readonly string[]> => {
  const store = await storeWithImages();
  const isWanted = await parseImageFilters(flags, store, nowMs);
  return (await listImageRows(store)).filter(isWanted).map(({ reference }) => reference.repository);
};

test.each([
  [[], ["ns/new", "library/mid", "ns/old"]],
  [["label=stage"], ["library/mid", "ns/old"]],
  [["label=stage=ci"], ["ns/old"]],
  [["label=stage", "label=other"], []],
  [["dangling=true"], []],
  [["dangling=0"], ["ns/new", "library/mid", "ns/old"]],
  [["before=mid"], ["ns/old"]],
  [["since=mid"], ["ns/new"]],
  [["since=ns/old:1", "before=host.example/ns/new:2"], ["library/mid"]],
  [["until=24h"], ["library/mid", "ns/old"]],
  [["until=2024-05-05"], ["ns/old"]],
  [["until=2024-05-05T00:00:01"], ["library/mid", "ns/old"]],
  [["reference=mid"], ["library/mid"]],
  [
    ["reference=ns/*", "reference=mid:*"],
    ["library/mid", "ns/old"],
  ],
  [["reference=*/*/*:2"], ["ns/new"]],
  [["reference=docker.io/library/m[a-i]d"], ["library/mid"]],
] as const)("%j", async (flags, names) => {
  expect(await namesOf(...flags)).toEqual(names);
});

test.each([
  ["colour=red", "USAGE_INVALID"],
  ["label", "USAGE_INVALID"],
  ["dangling=maybe", "USAGE_INVALID"],
  ["until=soon", "USAGE_INVALID"],
  ["until=2024-13-01", "USAGE_INVALID"],
  ["reference=[", "USAGE_INVALID"],
  ["reference=A", "REFERENCE_INVALID"],
  ["before=none", "IMAGE_NOT_FOUND"],
])("%s is refused", async (flag, code) => {
  expect(await rejectionOf(namesOf(flag))).toMatchObject({ code });
});

test("an image whose config is gone is listed, without what only that knows", async () => {
  const store = await storeWithImages();
  const lost = digestOf(Buffer.from("lost"));
  const platforms = [{ platform, imageId: lost, diffIds: [], annotations: new Map() }];
  await store.images.tag("docker.io/ns/lost:1", { platforms, createdAtMs: nowMs, manifests: [] });
  const row = (await listImageRows(store)).find(({ platform }) => platform.imageId === lost);
  expect(row).toMatchObject({ config: null, createdAtMs: null });
  expect(row !== undefined && labelFilter("stage")(row)).toBe(false);
});

test("a malformed pattern is told", () => {
  expect(thrownBy(() => referenceFilter("a["))).toMatchObject({ code: "USAGE_INVALID" });
});
