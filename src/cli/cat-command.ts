import { BuildError } from "../base/errors.ts";
import { openImageTree } from "../engine/image-tree.ts";
import { withImageWorkshop } from "../engine/image-workshop.ts";
import type { FileReader } from "../layer/file-tree.ts";
import { verifiedReader } from "../output/verified-reader.ts";
import { writeDestination } from "../output/write-destination.ts";
import { chooseImage, choosePlatform } from "./choose-images.ts";
import type { CatOptions } from "./content-commands.ts";
import { findEntry, parseImagePath } from "./image-path.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

const chunkBytes = 1 << 18;

/** `tsbuild cat`: the content of a file of an image, verified. */
export async function runCat(text: string, options: CatOptions): Promise<void> {
  const { image: name, path } = parseImagePath(text);
  if (path === null)
    throw new BuildError("USAGE_INVALID", `${JSON.stringify(text)}: path is missing`, {
      hint: "write it like ns/app:1.0:/etc/passwd",
    });
  const settings = { root: storeRoot(options.root), environment: process.env };
  await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, async (workshop) => {
      const { image } = await chooseImage(workshop.store, name);
      const tree = await openImageTree(choosePlatform(image, options.platform), workshop, signal);
      const entry = findEntry(tree, path);
      if (entry.type !== "file")
        throw new BuildError("IMAGE_NOT_FOUND", `path ${JSON.stringify(path)}: is a ${entry.type}, want a file`);
      const content = chunksOf(verifiedReader(tree.open(entry), path));
      await writeDestination("-", content, process.stdout, signal);
    }),
  );
}

async function* chunksOf(reader: FileReader): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const got = reader.read(chunk);
      if (got === 0) return;
      yield chunk.subarray(0, got);
    }
  } finally {
    reader.close();
  }
}
