import { closeSync, constants, openSync } from "node:fs";
import { BuildError } from "../../base/errors.ts";
import { mount } from "../../sys/mount.ts";
import { hasErrno } from "../../sys/system-error.ts";

export interface OverlayRequest {
  readonly target: string;
  /** Topmost first. */
  readonly lowers: readonly string[];
  /** Where changes go; null for a read-only view. */
  readonly writable: { readonly upper: string; readonly work: string } | null;
  /** An empty directory: overlayfs wants at least one lower directory, and two for a read-only view. */
  readonly empty: string;
  readonly flags: number;
}

/** What overlayfs takes as one stack. */
const lowerLimit = 500;

/**
 * Mounts a stack of directories. The mount's options name descriptors, not paths: as many fit into the page the kernel
 * reads as it can stack, no character in a path needs escaping, and the step finds no host path in its mountinfo.
 *
 * "volatile" leaves out flushing to disk whenever a program asks for it: what a crash would lose is thrown away after a
 * crash anyway.
 */
export function mountOverlay(request: OverlayRequest): void {
  const { target, writable, empty, flags } = request;
  const wanted = writable === null ? 2 : 1;
  const lowers = request.lowers.length < wanted ? [...request.lowers, empty] : request.lowers;
  if (lowers.length > lowerLimit) {
    throw new BuildError("RUNTIME_SETUP_FAILED", `${lowers.length} layers: overlayfs stacks at most ${lowerLimit}`, {
      hint: "squash the base image, or join RUN instructions",
    });
  }
  const open: number[] = [];
  const descriptor = (path: string): string => {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    open.push(fd);
    return String(fd);
  };
  try {
    const options = [
      `lowerdir=${lowers.map(descriptor).join(":")}`,
      ...(writable === null
        ? []
        : [`upperdir=${descriptor(writable.upper)}`, `workdir=${descriptor(writable.work)}`, "volatile"]),
      // features that leave marks in the upper directory which a layer cannot carry
      "index=off,metacopy=off,redirect_dir=off",
    ];
    process.chdir("/proc/self/fd");
    mount({ source: "overlay", target, type: "overlay", flags, data: options.join(",") });
  } catch (error) {
    if (!hasErrno(error, "EINVAL", "ENODEV", "EPERM")) throw error;
    throw new BuildError("RUNTIME_SETUP_FAILED", "overlayfs cannot be mounted on the file system of the store", {
      hint: "put the store on ext4, xfs, btrfs or tmpfs, and see that the kernel has overlayfs",
      cause: error,
    });
  } finally {
    process.chdir("/");
    for (const fd of open) closeSync(fd);
  }
}
