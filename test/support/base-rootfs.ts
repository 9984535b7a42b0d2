import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDiffId, parseDigest } from "../../src/base/digest.ts";
import { unpackLayer } from "../../src/layer/unpack-layer.ts";

const layout = fileURLToPath(new URL("../../fixtures/base", import.meta.url));
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

interface Blob {
  readonly digest: string;
  readonly size: number;
}

const blobPath = (digest: string): string => join(layout, "blobs", digest.replace(":", "/"));
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

/** Unpacks the busybox base image of this machine's architecture into a new directory below `parent`; its path. */
export async function unpackBaseRootfs(parent: string): Promise<string> {
  const layoutIndex = readJson(join(layout, "index.json")) as { manifests: Blob[] };
  const index = readJson(blobPath(layoutIndex.manifests[0]?.digest ?? "")) as {
    manifests: (Blob & { platform: { architecture: string } })[];
  };
  const wanted = architectures[process.arch];
  const entry = index.manifests.find(({ platform }) => platform.architecture === wanted);
  const manifest = readJson(blobPath(entry?.digest ?? "")) as { config: Blob; layers: Blob[] };
  const config = readJson(blobPath(manifest.config.digest)) as { rootfs: { diff_ids: string[] } };
  const [layer] = manifest.layers;
  if (layer === undefined || manifest.layers.length !== 1) throw new Error("the base image has not one layer");
  const directory = join(mkdtempSync(join(parent, "base-")), "dir");
  await unpackLayer({
    source: blobPath(layer.digest),
    blob: { digest: parseDigest(layer.digest), size: layer.size },
    diffId: parseDiffId(config.rootfs.diff_ids[0]),
    indexFile: null,
    tarFile: null,
    directory,
    overlayXattrs: "trusted",
  });
  return directory;
}
