import { withImageWorkshop } from "../engine/image-workshop.ts";
import { importImage } from "../engine/import-image.ts";
import { hostPlatform, parsePlatform } from "../image/platform.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import { countBytes } from "../output/count-bytes.ts";
import type { ImportOptions } from "./archive-commands.ts";
import { refuseTerminal } from "./refuse-terminal.ts";
import { withByteSpinner } from "./spinner.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild import`: an image of a file system; prints its ID. */
export async function runImport(source: string, reference: string | undefined, options: ImportOptions): Promise<void> {
  refuseTerminal(process.stdin, source);
  const request = {
    source,
    name: reference === undefined ? null : formatReference(parseReference(reference)),
    changes: options.change,
    message: options.message ?? null,
    platform: options.platform === undefined ? hostPlatform() : parsePlatform(options.platform),
  };
  const settings = { root: storeRoot(options.root), environment: process.env };
  const imageId = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, (workshop) =>
      withByteSpinner("importing", (onBytes) =>
        importImage({ ...request, stdin: countBytes(process.stdin, onBytes) }, workshop, signal),
      ),
    ),
  );
  process.stdout.write(`${imageId}\n`);
}
