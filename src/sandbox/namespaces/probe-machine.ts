import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { isBuildError } from "../../base/errors.ts";
import { requireNative } from "../../sys/native.ts";
import { hasSeccomp } from "../../sys/seccomp.ts";
import type { Unavailable } from "../runtime.ts";
import { findInitProgram } from "./program-files.ts";

/** The first kernel that can write-protect a mount by descriptor (mount_setattr(2)). */
const oldestKernel = [5, 12] as const;

function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return major < oldestKernel[0] || (major === oldestKernel[0] && minor < oldestKernel[1]);
}

function attempt(work: () => void): Unavailable | null {
  try {
    work();
    return null;
  } catch (error) {
    if (!isBuildError(error)) throw error;
    return { what: error.message, hint: error.hint ?? "see docs/sandbox.md" };
  }
}

/** Whether overlayfs is there, or a module that the kernel loads when it is mounted for the first time. */
function hasOverlay(): boolean {
  if (readFileSync("/proc/filesystems", "utf8").includes("\toverlay\n")) return true;
  const modules = `/lib/modules/${release()}/modules.dep`;
  return existsSync(modules) && /\/overlay\.ko/.test(readFileSync(modules, "utf8"));
}

/** What this machine lacks for the built-in sandbox. */
export function probeMachine(): readonly Unavailable[] {
  if (process.platform !== "linux") {
    return [{ what: `RUN needs Linux, this is ${process.platform}`, hint: "build on Linux, or without RUN" }];
  }
  const native = attempt(requireNative);
  if (native !== null) return [native];
  const problems: Unavailable[] = [];
  const add = (isMissing: boolean, what: string, hint: string): void => {
    if (isMissing) problems.push({ what, hint });
  };
  const program = attempt(() => void findInitProgram());
  if (program !== null) problems.push(program);
  add(
    process.getuid?.() !== 0,
    `not root but user ${process.getuid?.()}`,
    "run tsbuild as root, or choose another --runtime",
  );
  add(
    isTooOld(release()),
    `Linux ${release()} is too old`,
    `use Linux ${oldestKernel.join(".")} or newer, or choose another --runtime`,
  );
  add(!hasOverlay(), "the kernel has no overlayfs", "use a kernel with CONFIG_OVERLAY_FS");
  add(!hasSeccomp(), "the kernel cannot filter system calls (seccomp)", "use a kernel with CONFIG_SECCOMP_FILTER");
  add(
    !existsSync("/bin/sh"),
    "no /bin/sh on this machine",
    "install a shell: it ends the steps of a build that was killed",
  );
  return problems;
}
