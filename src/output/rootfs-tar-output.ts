import type { Writable } from "node:stream";
import type { LayerStore } from "../store/layer-store.ts";
import { countBytes, type OnBytes } from "./count-bytes.ts";
import type { Output } from "./output.ts";
import { writtenSummary } from "./receipt.ts";
import { rootfsSpecsOf } from "./rootfs-entries.ts";
import { rootfsTar } from "./rootfs-tar.ts";
import { writeDestination } from "./write-destination.ts";

export interface RootfsTarOptions {
  readonly destination: string;
  readonly splitPlatforms: boolean | null;
  /** The time of all files, in seconds since 1970; null: each keeps its own. */
  readonly epoch: number | null;
  readonly onBytes?: OnBytes;
}

/** The merged root file system as a tar. */
export function rootfsTarOutput(options: RootfsTarOptions, layers: LayerStore, stdout: Writable): Output {
  return {
    async write(images, signal) {
      const roots = await rootfsSpecsOf(images, options.splitPlatforms, options.epoch, layers, signal);
      const sizeBytes = await writeDestination(
        options.destination,
        countBytes(rootfsTar(roots), options.onBytes),
        stdout,
        signal,
      );
      return { manifest: null, summary: writtenSummary(options.destination, sizeBytes) };
    },
  };
}
