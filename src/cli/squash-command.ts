import { BuildError } from "../base/errors.ts";
import { withImageWorkshop } from "../engine/image-workshop.ts";
import { squashStoredImage } from "../engine/squash-stored-image.ts";
import { parseNewName } from "../image/reference.ts";
import { chooseImage } from "./choose-images.ts";
import type { SquashOptions } from "./content-commands.ts";
import { renderSquash } from "./render-squash.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";
import { writeLines } from "./write-lines.ts";

/** `tsbuild squash`: merges layers of a stored image, says on stderr what that saved, and prints the new image ID. */
export async function runSquash(name: string, options: SquashOptions): Promise<void> {
  for (const tag of options.tag) parseNewName(tag);
  const settings = { root: storeRoot(options.root), environment: process.env };
  const { imageIds, reports } = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, async (workshop) => {
      const { image, name: asked } = await chooseImage(workshop.store, name);
      const names = options.tag.length > 0 || asked === null ? options.tag : [asked];
      if (names.length === 0)
        throw new BuildError("USAGE_INVALID", `image ${JSON.stringify(name)}: the squashed image has no name`, {
          hint: "give it one with -t, or name the image by its reference",
        });
      return squashStoredImage(image, options.from ?? null, names, workshop, signal);
    }),
  );
  if (options.quiet !== true) for (const report of reports) process.stderr.write(`${renderSquash(report)}\n`);
  writeLines(imageIds);
}
