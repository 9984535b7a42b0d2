import { afterEach, beforeEach, expect, test } from "vitest";
import { parseReference } from "../../../src/image/reference.ts";
import { parseRegistriesConfig, type RegistriesConfig } from "../../../src/registry/registries-config.ts";
import { faults, TestRegistry } from "../../support/registry.ts";
import { collect, testClient } from "../../support/registry-client.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const signal = new AbortController().signal;
let origin: TestRegistry;
let mirror: TestRegistry;
beforeEach(async () => {
  origin = await TestRegistry.start();
  mirror = await TestRegistry.start();
});
afterEach(async () => {
  await origin.close();
  await mirror.close();
});

const configWith = (...mirrors: readonly string[]): RegistriesConfig =>
  parseRegistriesConfig(Buffer.from(JSON.stringify({ registries: { [origin.host]: { mirrors } } })), "test");
const reference = () => parseReference(`${origin.host}/ns/app`);

test("a mirror is asked instead of the registry", async () => {
  const { manifest } = mirror.addImage("latest");
  const fetched = await testClient({ config: configWith(mirror.host) }).fetchManifest(reference(), signal);
  expect(fetched.descriptor).toEqual(manifest);
  expect(origin.requests).toEqual([]);
});

test("a mirror with a path has the repository below it", async () => {
  mirror.addImage("latest");
  await testClient({ config: configWith(`${mirror.host}/hub/x`) }).fetchManifest(reference(), signal);
  expect(mirror.log).toEqual(["GET /v2/hub/x/ns/app/manifests/latest"]);
});

test.each([
  ["does not have it", /./, faults.status(404)],
  ["denies access", /./, faults.status(403)],
  ["has too many requests", /./, faults.status(429)],
  ["fails", /./, faults.status(500)],
  ["breaks off", /./, faults.reset()],
  ["has a manifest that is none", /manifests/, faults.body("nonsense")],
  ["has a blob of another size", /blobs/, faults.body("nonsense", { "content-length": "8" })],
])("the registry is asked when the mirror %s", async (_name, pattern, fault) => {
  const { manifest, layers } = origin.addImage("latest");
  mirror.fail(pattern, fault);
  const client = testClient({ config: configWith(mirror.host) });
  expect((await client.fetchManifest(reference(), signal)).descriptor).toEqual(manifest);
  const [layer] = layers;
  if (layer === undefined) throw new Error("the image has no layer");
  expect((await collect(await client.openBlob(reference(), layer, signal))).toString()).toBe("layer one");
});

test("a mirror that cannot be reached is asked once", async () => {
  origin.addImage("latest");
  const config = configWith(mirror.host);
  mirror.fail(/./, faults.status(503));
  const client = testClient({ config });
  await client.fetchManifest(reference(), signal);
  const asked = mirror.requests.length;
  await client.fetchManifest(reference(), signal);
  expect(mirror.requests).toHaveLength(asked);
});

test("when nobody has it, the registry is the one that is named", async () => {
  const error = await rejectionOf(testClient({ config: configWith(mirror.host) }).fetchManifest(reference(), signal));
  expect(error.code).toBe("SOURCE_NOT_FOUND");
  expect(error.message).toContain(`registry ${origin.host} answered 404`);
});
