import { statSync } from "node:fs";
import type { Readable } from "node:stream";
import type { DiffId } from "../base/digest.ts";
import { isBuildError } from "../base/errors.ts";
import { parseImageConfig } from "../image/config-json.ts";
import type { ImageProblem, ProblemCode } from "../image/image-problem.ts";
import { isSamePlatform } from "../image/platform.ts";
import { readLayerIndex } from "../layer/layer-index.ts";
import { checkStoredLayerTask } from "../output/check-layer.ts";
import type { StoredImage, StoredPlatformImage } from "../store/image-store.ts";
import { type ImageWorkshop, takeOut } from "./image-workshop.ts";
import { openArchive } from "./load-images.ts";
import { historyProblem, verifyArchive } from "./verify-archive.ts";

/** Everything that is wrong with an image of the store, config and layers; layers that are not here yet are fetched. */
export async function verifyStoredImage(
  image: StoredImage,
  workshop: ImageWorkshop,
  signal: AbortSignal,
): Promise<readonly ImageProblem[]> {
  const documents = await Promise.all(image.platforms.map((one) => documentProblems(one, workshop)));
  const diffIds = new Set(image.platforms.flatMap((one) => one.diffIds));
  const layers = [...diffIds].map((diffId) =>
    problemsOf(diffId, async () => {
      const layer = await workshop.layers.readable(diffId, signal);
      const hasTar = layer.tarFile !== null || readLayerIndex(layer.indexFile).isCanonical;
      const blobFile = hasTar ? null : await blobFileOf(diffId, workshop, signal);
      return workshop.tasks.run(checkStoredLayerTask, { layer, blobFile }, signal);
    }),
  );
  return [...documents.flat(), ...(await Promise.all(layers)).flat()];
}

/** The same for an archive or a directory: an OCI layout, or what `docker save` writes. "-" is `stdin`. */
export async function verifyFile(
  source: string,
  stdin: Readable,
  isStrict: boolean,
  workshop: ImageWorkshop,
  signal: AbortSignal,
): Promise<readonly ImageProblem[]> {
  const spec = await openArchive(source, stdin, "image archive", workshop, signal);
  return verifyArchive(spec, isStrict, workshop.tasks, signal);
}

/** Whether `source` means something on this machine rather than an image. */
export const isFileSource = (source: string): boolean =>
  source === "-" || statSync(source, { throwIfNoEntry: false }) !== undefined;

/** A layer that came from elsewhere and was unpacked has the blob it came as. */
async function blobFileOf(diffId: DiffId, { store, layers }: ImageWorkshop, signal: AbortSignal): Promise<string> {
  const { digest } = await layers.blob(diffId, { compression: "gzip", level: null }, signal);
  return store.paths.blob(digest);
}

async function documentProblems(
  image: StoredPlatformImage,
  { store }: ImageWorkshop,
): Promise<readonly ImageProblem[]> {
  const subject = image.imageId;
  return problemsOf(subject, async () => {
    const { config: bytes } = await takeOut(store, image);
    const config = parseImageConfig(bytes, "config");
    const problems: Pick<ImageProblem, "code" | "message">[] = [];
    const history = historyProblem(config);
    if (history !== null) problems.push({ code: "HISTORY_COUNT", message: history });
    if (config.diffIds.join() !== image.diffIds.join())
      problems.push({ code: "LAYER_COUNT", message: "the image has other layers than its config" });
    if (!isSamePlatform(config.platform, image.platform))
      problems.push({ code: "PLATFORM", message: "the image has another platform than its config" });
    return problems;
  });
}

async function problemsOf(
  subject: string,
  work: () => Promise<readonly Pick<ImageProblem, "code" | "message">[]>,
): Promise<readonly ImageProblem[]> {
  try {
    return (await work()).map(({ code, message }) => ({ code, subject, message }));
  } catch (error) {
    const code = isBuildError(error) ? codes.get(error.code) : undefined;
    if (code === undefined) throw error;
    return [{ code, subject, message: (error as Error).message }];
  }
}

/** Failures that say something about the image, not about this machine or the network. */
const codes: ReadonlyMap<string, ProblemCode> = new Map([
  ["BLOB_NOT_FOUND", "BLOB_MISSING"],
  ["BLOB_DIGEST_MISMATCH", "BLOB_DIGEST"],
  ["BLOB_TOO_LARGE", "BLOB_SIZE"],
  ["IMAGE_INVALID", "DOCUMENT"],
  ["LAYER_NOT_FOUND", "BLOB_MISSING"],
  ["LAYER_MALFORMED", "TAR_FORMAT"],
  ["LAYER_TOO_LARGE", "TAR_FORMAT"],
]);
