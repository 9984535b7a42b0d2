import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, digestOf, parseDigest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { isHttpUrl } from "../context/git-url.ts";
import { download } from "../context/http-download.ts";
import { redactUrls } from "../context/redact-url.ts";
import { serializeImageConfig } from "../image/config-json.ts";
import type { ImageConfig } from "../image/image-config.ts";
import type { Platform } from "../image/platform.ts";
import { formatTimestamp } from "../image/timestamp.ts";
import type { LayerLocation } from "../layer/layer-location.ts";
import { planConfigChanges } from "../plan/plan-config-changes.ts";
import type { ImageWorkshop } from "./image-workshop.ts";
import { maximumArchiveBytes, openArchive } from "./load-images.ts";

/** A file system that is to become an image. */
export interface ImportRequest {
  /** A file, an http(s) URL, or "-" for `stdin`: a tar, plain or compressed. */
  readonly source: string;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Full reference; null for none. */
  readonly name: string | null;
  /** Dockerfile instructions about the config. */
  readonly changes: readonly string[];
  /** Comment of the image's only history row; null for one that names the source. */
  readonly message: string | null;
  readonly platform: Platform;
}

/**
 * Makes an image with the tar of `request` as its only layer, byte for byte once it is uncompressed; the image ID. A
 * name `.wh.…` in it is a whiteout, as in every layer. Rejects with SOURCE_*, LAYER_MALFORMED and USAGE_INVALID.
 */
export async function importImage(
  request: ImportRequest,
  workshop: ImageWorkshop,
  signal: AbortSignal,
): Promise<Digest> {
  const { store, layers } = workshop;
  const config = await planConfigChanges(request.changes, null, request.platform, signal);
  const { diffId, tarFile } = await openTar(request, workshop, signal);
  const blob = { digest: parseDigest(diffId), size: (await stat(tarFile)).size };
  await layers.importBlob(diffId, blob, () => createReadStream(tarFile, { highWaterMark: 1 << 20 }), signal);
  const createdAtMs = Date.now();
  const created = formatTimestamp(createdAtMs);
  const comment = request.message ?? `Imported from ${redactUrls(request.source)}`;
  const image: ImageConfig = {
    platform: request.platform,
    author: "",
    created,
    config,
    history: [{ created, createdBy: "", author: "", comment, emptyLayer: false }],
    diffIds: [diffId],
  };
  const bytes = serializeImageConfig(image);
  const imageId = digestOf(bytes);
  await store.blobs.putBytes(bytes);
  const platforms = [{ platform: request.platform, imageId, diffIds: [diffId], annotations: new Map() }];
  if (request.name !== null) await store.images.tag(request.name, { platforms, createdAtMs, manifests: [] });
  return imageId;
}

async function openTar(
  { source, stdin }: ImportRequest,
  workshop: ImageWorkshop,
  signal: AbortSignal,
): Promise<LayerLocation & { readonly tarFile: string }> {
  let file = source;
  if (isHttpUrl(source)) {
    file = join(await workshop.layers.makeTemporary(), "download");
    await download({ url: source, file, maximumBytes: maximumArchiveBytes, authorization: null, known: null }, signal);
  }
  const tree = await openArchive(file, stdin, "file system", workshop, signal);
  const layer = tree.kind === "layers" ? tree.layers[0] : undefined;
  if (layer === undefined || layer.tarFile === null)
    throw new BuildError("SOURCE_INVALID", `file system ${JSON.stringify(source)}: is a directory, want a tar`, {
      hint: "pipe it in: tar -C DIR -c . | tsbuild import -",
    });
  return { ...layer, tarFile: layer.tarFile };
}
