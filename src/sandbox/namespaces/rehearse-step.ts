import { closeSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mount, mountFlags } from "../../sys/mount.ts";
import { inOtherNamespaces } from "../../sys/namespaces.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import { prepareSandbox } from "./prepare-sandbox.ts";
import { rehearseProgram } from "./start-program.ts";

/** A directory that every Linux has; a file system of the rehearsal's own hides it meanwhile. */
const stage = "/dev";

const exampleSpec = (lower: string, upper: string, work: string): SandboxSpec => ({
  args: ["rehearsal"],
  env: ["PATH=/usr/bin:/bin"],
  cwd: "/new/directory",
  user: "",
  lowers: [lower],
  upper,
  work,
  mounts: [],
  network: "host",
  security: "sandbox",
  hostname: "rehearsal",
  extraHosts: [],
  shmSizeBytes: 1 << 16,
  ulimits: [],
});

function makeStage(): SandboxSpec {
  mount({ source: null, target: "/", type: null, flags: mountFlags.private | mountFlags.recursive, data: null });
  mount({ source: "tmpfs", target: stage, type: "tmpfs", flags: mountFlags.noSuid, data: "mode=700" });
  const directory = (name: string): string => {
    const path = join(stage, name);
    mkdirSync(path);
    return path;
  };
  const spec = exampleSpec(directory("lower"), directory("upper"), directory("work"));
  mkdirSync(join(stage, "lower/etc"));
  writeFileSync(join(stage, "lower/etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(stage, "lower/etc/group"), "root:x:0:root\n");
  return spec;
}

const openDescriptors = (): readonly number[] => readdirSync("/proc/self/fd").map(Number);

/**
 * Goes the way of a step up to its program, in the calling process, and back: afterwards the code on the way is compiled
 * and the functions of the C library are bound, which would otherwise happen in each copy again. What fails here fails
 * for a step too, which will tell.
 */
export function rehearseStep(): void {
  const before = new Set(openDescriptors());
  inOtherNamespaces(() => {
    try {
      const spec = makeStage();
      prepareSandbox(spec, null);
      rehearseProgram(spec);
    } catch {
      // the program does not exist
    }
  });
  for (const fd of openDescriptors()) {
    if (before.has(fd)) continue;
    try {
      closeSync(fd);
    } catch {
      // the one that listed the others
    }
  }
}
