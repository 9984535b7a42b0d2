import { withImageWorkshop } from "../engine/image-workshop.ts";
import { loadImages } from "../engine/load-images.ts";
import { familiarReference, formatReference, parseReference } from "../image/reference.ts";
import { countBytes } from "../output/count-bytes.ts";
import type { LoadOptions } from "./archive-commands.ts";
import { refuseTerminal } from "./refuse-terminal.ts";
import { withByteSpinner } from "./spinner.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild load`: the images of an archive into the store; prints what each is called. */
export async function runLoad(options: LoadOptions): Promise<void> {
  const source = options.input ?? "-";
  refuseTerminal(process.stdin, source);
  const settings = { root: storeRoot(options.root), environment: process.env };
  const tag = options.tag === undefined ? null : formatReference(parseReference(options.tag));
  const loaded = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, (workshop) =>
      withByteSpinner("loading", (onBytes) =>
        loadImages(source, countBytes(process.stdin, onBytes), tag, workshop, signal),
      ),
    ),
  );
  for (const { names, imageIds } of loaded) {
    for (const name of names) process.stdout.write(`Loaded image: ${familiarReference(parseReference(name))}\n`);
    if (names.length > 0) continue;
    process.stdout.write(`Loaded image ID: ${imageIds.join(", ")}\n`);
    process.stderr.write("hint: it has no name and prune removes it; load it again with --tag NAME\n");
  }
}
