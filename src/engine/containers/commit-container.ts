import { join } from "node:path";
import { type Digest, digestOf } from "../../base/digest.ts";
import { parseImageConfig, serializeImageConfig } from "../../image/config-json.ts";
import type { ImageConfig } from "../../image/image-config.ts";
import { formatTimestamp } from "../../image/timestamp.ts";
import { packDirectoryDiffTask } from "../../layer/pack-directory-diff.ts";
import { planConfigChanges } from "../../plan/plan-config-changes.ts";
import { removeStubs } from "../../sandbox/namespaces/remove-stubs.ts";
import type { ImageWorkshop } from "../image-workshop.ts";

/** What is to become an image, and what it shall say of itself. */
export interface CommitRequest {
  /** Name, ID or the beginning of one. */
  readonly container: string;
  /** Full reference; null for none. */
  readonly name: string | null;
  readonly author: string;
  readonly message: string;
  /** Dockerfile instructions about the config. */
  readonly changes: readonly string[];
}

/**
 * Makes an image of what a container changed: the container's image with one layer more, packed as that of a RUN is, and
 * with the container's config; the image ID. The container stays. Rejects with CONTAINER_NOT_FOUND, CONTAINER_IN_USE
 * while it runs, and USAGE_INVALID for a wrong change.
 */
export async function commitContainer(
  request: CommitRequest,
  { store, layers, tasks }: ImageWorkshop,
  signal: AbortSignal,
): Promise<Digest> {
  const { id, diffIds, imageConfig, start, exit } = await store.containers.open(request.container);
  const base = parseImageConfig(Buffer.from(imageConfig), `config of container ${id.slice(0, 12)}`);
  const config = await planConfigChanges(request.changes, base.config, base.platform, signal);
  const lower = await Promise.all(diffIds.map((diffId) => layers.readable(diffId, signal)));
  const into = await layers.makeTemporary();
  const release = store.containers.hold(id);
  const upper = join(store.paths.container(id), "dir");
  // whoever ran it was killed before it could do so
  if (exit === null) removeStubs(upper, start?.mountPoints ?? []);
  const layer = await tasks
    .run(packDirectoryDiffTask, { upper, lower, into, keepTar: true, overlayXattrs: "trusted" }, signal)
    .finally(release);
  const isEmpty = layer.sizeBytes <= emptyTarBytes;
  if (!isEmpty) await layers.commitTar(into, layer);
  const createdAtMs = Date.now();
  const created = formatTimestamp(createdAtMs);
  const image: ImageConfig = {
    platform: base.platform,
    author: request.author,
    created,
    config,
    history: [
      ...base.history,
      {
        created,
        createdBy: (base.config.Cmd ?? []).join(" "),
        author: request.author,
        comment: request.message,
        emptyLayer: isEmpty,
      },
    ],
    diffIds: isEmpty ? base.diffIds : [...base.diffIds, layer.diffId],
  };
  const bytes = serializeImageConfig(image);
  const imageId = digestOf(bytes);
  await store.blobs.putBytes(bytes);
  const platforms = [{ platform: image.platform, imageId, diffIds: image.diffIds, annotations: new Map() }];
  if (request.name !== null) await store.images.tag(request.name, { platforms, createdAtMs, manifests: [] });
  return imageId;
}

/** A tar without entries: two blocks of zeros. */
const emptyTarBytes = 1024;
