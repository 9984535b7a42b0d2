import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { LayerLocation } from "../../src/layer/layer-location.ts";
import { unpackLayer } from "../../src/layer/unpack-layer.ts";
import { needsRoot } from "./skip-reason.ts";

/** Why overlays cannot be mounted here; null when they can. */
export const needsOverlay: string | null = needsRoot ?? tryOverlay();

function tryOverlay(): string | null {
  try {
    execFileSync(
      "unshare",
      [
        "-m",
        "sh",
        "-ec",
        "mount -t tmpfs t /mnt && mkdir /mnt/l /mnt/u /mnt/w /mnt/m && mount -t overlay o -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w /mnt/m",
      ],
      { stdio: "pipe" },
    );
    return null;
  } catch {
    return "overlayfs cannot be mounted in a mount namespace of its own";
  }
}

/** Gives layers that have a tar a directory each, beside the tar. */
export async function unpackAll(layers: readonly LayerLocation[]): Promise<readonly LayerLocation[]> {
  const unpacked: LayerLocation[] = [];
  for (const layer of layers) {
    const directory = `${layer.tarFile}.dir`;
    const source = layer.tarFile as string;
    await unpackLayer({
      source,
      blob: null,
      diffId: layer.diffId,
      indexFile: null,
      tarFile: null,
      directory,
      overlayXattrs: "trusted",
    });
    unpacked.push({ ...layer, directory });
  }
  return unpacked;
}

/**
 * Runs a shell script in the root of an overlay over `lower` (lowest first), in a mount namespace of its own, and
 * returns what it printed. `upper` is made and stays.
 */
export function runInOverlay(lower: readonly string[], upper: string, script: string): string {
  const work = `${upper}.work`;
  const merged = `${upper}.merged`;
  for (const directory of [upper, work, merged, join(work, "none")]) mkdirSync(directory, { recursive: true });
  const lowerDirs = [...lower].reverse().join(":") || join(work, "none");
  const options = `lowerdir=${lowerDirs},upperdir=${upper},workdir=${work},redirect_dir=off,metacopy=off`;
  const setUp = 'mount -t overlay overlay -o "$1" "$2" && cd "$2" && umask 022 && eval "$3"';
  return execFileSync("unshare", ["-m", "sh", "-ec", setUp, "sh", options, merged, script], {
    encoding: "latin1",
    maxBuffer: 1 << 26,
    stdio: ["ignore", "pipe", "pipe"],
  });
}
