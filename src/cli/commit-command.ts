import { commitContainer } from "../engine/containers/commit-container.ts";
import { withImageWorkshop } from "../engine/image-workshop.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import type { CommitOptions } from "./container-commands.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild commit`: an image of what a container changed; prints its ID. */
export async function runCommit(
  container: string,
  reference: string | undefined,
  options: CommitOptions,
): Promise<void> {
  const request = {
    container,
    name: reference === undefined ? null : formatReference(parseReference(reference)),
    author: options.author ?? "",
    message: options.message ?? "",
    changes: options.change,
  };
  const settings = { root: storeRoot(options.root), environment: process.env };
  const imageId = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, (workshop) => commitContainer(request, workshop, signal)),
  );
  process.stdout.write(`${imageId}\n`);
}
