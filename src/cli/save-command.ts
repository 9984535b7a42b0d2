import { BuildError } from "../base/errors.ts";
import { withImageWorkshop } from "../engine/image-workshop.ts";
import { saveImages } from "../engine/save-images.ts";
import type { SaveOptions } from "./archive-commands.ts";
import { chooseImage, choosePlatform } from "./choose-images.ts";
import { refuseTerminal } from "./refuse-terminal.ts";
import { withByteSpinner } from "./spinner.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild save`: images as one archive, in a file or on stdout. */
export async function runSave(names: readonly string[], options: SaveOptions): Promise<void> {
  const destination = options.output ?? "-";
  refuseTerminal(process.stdout, destination);
  const settings = { root: storeRoot(options.root), environment: process.env };
  const receipt = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, async (workshop) => {
      const found = await Promise.all(names.map((name) => chooseImage(workshop.store, name)));
      const chosen = found.map(({ image, name }) => {
        const platforms = options.platform === undefined ? image.platforms : [choosePlatform(image, options.platform)];
        if (options.format === "docker" && platforms.length !== 1)
          throw new BuildError(
            "EXPORT_UNSUPPORTED",
            `image ${image.reference}: has ${platforms.length} platforms, a docker archive takes one`,
            { hint: "choose one with --platform, or save all with --format oci" },
          );
        return { platforms, name };
      });
      return withByteSpinner("saving", (onBytes) =>
        saveImages(chosen, options.format, destination, process.stdout, workshop, signal, onBytes),
      );
    }),
  );
  process.stderr.write(`${receipt.summary}\n`);
}
