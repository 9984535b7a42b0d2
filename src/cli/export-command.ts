import { takeOut, withImageWorkshop } from "../engine/image-workshop.ts";
import { rootfsTarOutput } from "../output/rootfs-tar-output.ts";
import type { ExportOptions } from "./archive-commands.ts";
import { chooseImage, choosePlatform } from "./choose-images.ts";
import { refuseTerminal } from "./refuse-terminal.ts";
import { withByteSpinner } from "./spinner.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild export`: an image's file system as one tar, in a file or on stdout. */
export async function runExport(name: string, options: ExportOptions): Promise<void> {
  const destination = options.output ?? "-";
  refuseTerminal(process.stdout, destination);
  const settings = { root: storeRoot(options.root), environment: process.env };
  const receipt = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, ({ store, layers }) =>
      withByteSpinner("exporting", async (onBytes) => {
        const { image } = await chooseImage(store, name);
        const tarOptions = { destination, splitPlatforms: false, epoch: null, onBytes };
        const output = rootfsTarOutput(tarOptions, layers, process.stdout);
        return output.write([await takeOut(store, choosePlatform(image, options.platform))], signal);
      }),
    ),
  );
  process.stderr.write(`${receipt.summary}\n`);
}
