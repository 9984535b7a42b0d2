import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TestRegistry } from "./registry.ts";

/** The OCI layout of the busybox base image. */
export const baseLayout = fileURLToPath(new URL("../../fixtures/base", import.meta.url));

interface Descriptor {
  readonly digest: string;
  readonly mediaType: string;
}

const read = (digest: string): Buffer => readFileSync(join(baseLayout, "blobs", digest.replace(":", "/")));
const parse = <T>(bytes: Buffer): T => JSON.parse(bytes.toString("utf8")) as T;

/** A registry that serves the base image under every name, tag `latest`. */
export async function startBaseRegistry(): Promise<TestRegistry> {
  const registry = await TestRegistry.start();
  const layout = parse<{ manifests: readonly Descriptor[] }>(readFileSync(join(baseLayout, "index.json")));
  for (const root of layout.manifests) {
    const index = read(root.digest);
    registry.addManifest(index, root.mediaType, "latest");
    for (const entry of parse<{ manifests: readonly Descriptor[] }>(index).manifests) {
      const manifest = read(entry.digest);
      registry.addManifest(manifest, entry.mediaType, null);
      const { config, layers } = parse<{ config: Descriptor; layers: readonly Descriptor[] }>(manifest);
      for (const { digest, mediaType } of [config, ...layers]) registry.addBlob(read(digest), mediaType);
    }
  }
  return registry;
}
