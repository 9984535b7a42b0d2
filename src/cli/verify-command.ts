import { BuildError, isBuildError } from "../base/errors.ts";
import { type ImageWorkshop, withImageWorkshop } from "../engine/image-workshop.ts";
import { isFileSource, verifyFile, verifyStoredImage } from "../engine/verify-image.ts";
import type { StoredImage } from "../store/image-store.ts";
import { chooseImage } from "./choose-images.ts";
import type { VerifyOptions } from "./content-commands.ts";
import { ReportedError } from "./reported-error.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";
import { writeLines, writeText } from "./write-lines.ts";

/** `tsbuild verify`: checks an image from its bytes, one line a problem; exit code 1 when there is one. */
export async function runVerify(source: string, options: VerifyOptions): Promise<void> {
  const settings = { root: storeRoot(options.root), environment: process.env };
  const problems = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, async (workshop) => {
      const image = await findStored(workshop, source);
      if (image !== null) return verifyStoredImage(image, workshop, signal);
      return verifyFile(source, process.stdin, options.strict === true, workshop, signal);
    }),
  );
  if (options.format === "json") writeText(`${JSON.stringify({ source, problems }, null, 2)}\n`);
  else writeLines(problems.map(({ code, subject, message }) => `${code} ${subject}: ${message}`));
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  if (problems.length > 0)
    throw new ReportedError(new BuildError("VERIFY_FAILED", `image ${JSON.stringify(source)}: ${count}`));
  if (options.format !== "json") process.stderr.write("no problems\n");
}

/** The image of the store that is meant; null when a file is. */
async function findStored({ store }: ImageWorkshop, source: string): Promise<StoredImage | null> {
  try {
    return (await chooseImage(store, source)).image;
  } catch (error) {
    if (isBuildError(error, "IMAGE_NOT_FOUND") && isFileSource(source)) return null;
    throw error;
  }
}
