import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Digest, hexOf, parseDiffId } from "../base/digest.ts";
import { isBuildError } from "../base/errors.ts";
import type { EarlierLayers } from "../steps/step-context.ts";
import { readSmallFile, replaceFile } from "../store/atomic-file.ts";
import type { Store } from "../store/open-store.ts";

/** Earlier layers as small files with a diffID beside the stat caches. A broken one counts as none. */
export function storedEarlierLayers({ paths, contextsDirectory }: Store): EarlierLayers {
  const fileOf = (key: Digest): string => join(contextsDirectory, `layer-${hexOf(key)}`);
  return {
    async find(key) {
      const bytes = await readSmallFile(fileOf(key));
      if (bytes === null) return null;
      try {
        const diffId = parseDiffId(bytes.toString("latin1"));
        const [indexFile, tarFile] = [paths.layerFile(diffId, "index"), paths.layerFile(diffId, "tar")];
        return existsSync(indexFile) && existsSync(tarFile) ? { diffId, indexFile, tarFile, directory: null } : null;
      } catch (error) {
        if (isBuildError(error)) return null;
        throw error;
      }
    },
    async save(key, diffId) {
      await replaceFile(fileOf(key), diffId, paths.temporary, "eventual");
    },
  };
}
