import { posix } from "node:path";
import { BuildError } from "../../base/errors.ts";
import type { SandboxMount } from "../../sandbox/sandbox-spec.ts";

/** A place in a container for which it gets a directory of its own. */
export interface ContainerVolume {
  readonly target: string;
  /** Its directory in the container's. */
  readonly directory: string;
}

const depthOf = (path: string): number => path.split("/").length;

/**
 * All mounts of a container, outer ones first. What the command line mounts takes the place of a volume of the image.
 * `volumes` is a list of places, "" or relative ones among them are taken from the root. Throws USAGE_INVALID for two
 * mounts in one place, or one over everything.
 */
export function planContainerMounts(
  mounts: readonly SandboxMount[],
  volumes: readonly string[],
): { readonly mounts: readonly SandboxMount[]; readonly volumes: readonly ContainerVolume[] } {
  const given = mounts.map((mount) => ({ ...mount, target: posix.resolve("/", mount.target) }));
  const taken = new Set<string>();
  for (const { target } of given) {
    if (target === "/") throw new BuildError("USAGE_INVALID", "a mount at / would hide the whole image");
    if (taken.has(target)) throw new BuildError("USAGE_INVALID", `two mounts at ${JSON.stringify(target)}`);
    taken.add(target);
  }
  const places = [...new Set(volumes.map((place) => posix.resolve("/", place)))];
  const own = places
    .filter((target) => target !== "/" && !taken.has(target))
    .map((target, at) => ({ target, directory: `volumes/${at}` }));
  return { mounts: given, volumes: own };
}

/** Mounts in the order they must be made: what lies inside of another one after it. */
export const outerFirst = (mounts: readonly SandboxMount[]): readonly SandboxMount[] =>
  [...mounts].sort((a, b) => depthOf(a.target) - depthOf(b.target));
