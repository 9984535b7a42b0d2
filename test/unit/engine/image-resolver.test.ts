import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BuildContexts } from "../../../src/engine/build-contexts.ts";
import { ImageResolver } from "../../../src/engine/image-resolver.ts";
import { RemoteContexts } from "../../../src/engine/remote-contexts.ts";
import { RequestSources } from "../../../src/engine/request-sources.ts";
import { parseImageConfig, serializeImageConfig } from "../../../src/image/config-json.ts";
import type { Platform } from "../../../src/image/platform.ts";
import type { LayerStore } from "../../../src/store/layer-store.ts";
import { openLayerStore } from "../../../src/store/open-layer-store.ts";
import { inThreadRunner } from "../../../src/workers/in-thread-runner.ts";
import { describePlanSources } from "../../conformance/describe-plan-sources.ts";
import { baseLayout } from "../../support/base-registry.ts";
import { requestOf } from "../../support/build-request.ts";
import { testClient } from "../../support/registry-client.ts";
import { useRegistry } from "../../support/use-registry.ts";
import { useStore } from "../../support/use-store.ts";

const platform: Platform = { os: "linux", architecture: "amd64", variant: "", osVersion: "" };
const { signal } = new AbortController();
const registry = useRegistry();
const stores = useStore();

const openLayers = (): LayerStore =>
  openLayerStore(
    stores.store,
    inThreadRunner,
    { open: () => Promise.reject(new Error("no layer is wanted")) },
    () => {},
  );
const openResolver = (pull = false): ImageResolver =>
  new ImageResolver(stores.store, openLayers(), async () => testClient(), pull);
const nameOf = (repository: string): string => `${registry.current.host}/${repository}`;

describe("a base image", () => {
  test("is asked for once, and not at all by later builds", async () => {
    const { manifest } = registry.current.addImage("latest");
    const resolver = openResolver();
    const [first] = await Promise.all([1, 2].map(() => resolver.resolve(nameOf("app"), platform, null, signal)));
    expect(first).toMatchObject({ reference: `${nameOf("app")}:latest`, manifest: manifest.digest, hasLayers: true });
    expect(resolver.layersOf(manifest.digest)).toHaveLength(2);
    const asked = registry.current.requests.length;
    expect(await openResolver().resolve(nameOf("app"), platform, null, signal)).toEqual(first);
    expect(registry.current.requests).toHaveLength(asked);
  });

  test("is asked for again with --pull, and what a tag means now is taken", async () => {
    registry.current.addImage("latest");
    await openResolver().resolve(nameOf("app"), platform, null, signal);
    const moved = registry.current.addImage("latest", { layers: [Buffer.from("another layer")] });
    expect((await openResolver(true).resolve(nameOf("app"), platform, null, signal)).manifest).toBe(
      moved.manifest.digest,
    );
    expect((await openResolver().resolve(nameOf("app"), platform, null, signal)).manifest).toBe(moved.manifest.digest);
  });

  test("that was built here comes from the store, without a registry", async () => {
    const config = serializeImageConfig(
      parseImageConfig(Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":null}}')),
    );
    const imageId = await stores.store.blobs.putBytes(config);
    const platforms = [{ platform, imageId, diffIds: [], annotations: new Map<string, string>() }];
    await stores.store.images.tag(`${nameOf("mine")}:1`, { platforms, createdAtMs: 0, manifests: [] });
    const image = await openResolver().resolve(`${nameOf("mine")}:1`, platform, null, signal);
    expect(image).toMatchObject({ manifest: imageId, hasLayers: false });
    expect(registry.current.requests).toEqual([]);
  });

  test("that a registry does not have is an error with the place in the Dockerfile", async () => {
    const location = { file: "Dockerfile", startLine: 3, endLine: 3 };
    await expect(openResolver().resolve(nameOf("none"), platform, location, signal)).rejects.toMatchObject({
      code: "SOURCE_NOT_FOUND",
      location,
    });
  });

  test("of an OCI layout is found by platform", async () => {
    const resolver = openResolver();
    const arm = await resolver.resolveLayout(
      `oci-layout://${baseLayout}`,
      { ...platform, architecture: "arm64" },
      signal,
    );
    const amd = await resolver.resolveLayout(`oci-layout://${baseLayout}:latest`, platform, signal);
    expect(arm.config.platform.architecture).toBe("arm64");
    expect(amd.config.platform.architecture).toBe("amd64");
    expect(resolver.layersOf(arm.manifest)).not.toEqual(resolver.layersOf(amd.manifest));
  });
});

describePlanSources("a request", async () => {
  registry.current.addImage("latest");
  const directory = join(stores.path, "tree");
  mkdirSync(directory, { recursive: true });
  const request = await requestOf(["--build-context", `files=${directory}`, directory]);
  const layers = openLayers();
  const remote = new RemoteContexts(layers, inThreadRunner);
  const contexts = new BuildContexts(request, stores.store.contextsDirectory, remote);
  return {
    sources: new RequestSources(request.namedContexts, contexts, openResolver(), null),
    image: { name: nameOf("app"), canonical: `${nameOf("app")}:latest` },
    missingImage: nameOf("app:none"),
    treeContext: "files",
  };
});
