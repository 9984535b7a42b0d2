import type { FileTree } from "../layer/file-tree.ts";
import { openRootfsView } from "../layer/rootfs-view.ts";
import type { StoredPlatformImage } from "../store/image-store.ts";
import type { ImageWorkshop } from "./image-workshop.ts";

/** The file system of an image, read from its layers' indexes and tars; layers that are not here yet are fetched. */
export async function openImageTree(
  image: StoredPlatformImage,
  { layers }: ImageWorkshop,
  signal: AbortSignal,
): Promise<FileTree> {
  return openRootfsView(await Promise.all(image.diffIds.map((diffId) => layers.readable(diffId, signal))));
}
