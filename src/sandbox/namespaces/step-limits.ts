import { BuildError } from "../../base/errors.ts";
import { hardLimit, type ResourceLimit, resourceLimits, setResourceLimit } from "../../sys/process.ts";
import { hasErrno } from "../../sys/system-error.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";

const unlimited = -1;
/** Limits a step has, whatever the limits of whoever started the build: soft, then hard. */
const stepLimits: Readonly<Record<ResourceLimit, readonly [number, number]>> = {
  cpu: [unlimited, unlimited],
  fsize: [unlimited, unlimited],
  data: [unlimited, unlimited],
  stack: [8 << 20, unlimited],
  core: [0, unlimited],
  rss: [unlimited, unlimited],
  nproc: [unlimited, unlimited],
  nofile: [1024, 524_288],
  memlock: [8 << 20, 8 << 20],
  as: [unlimited, unlimited],
  locks: [unlimited, unlimited],
  sigpending: [127_000, 127_000],
  msgqueue: [819_200, 819_200],
  nice: [0, 0],
  rtprio: [0, 0],
  rttime: [unlimited, unlimited],
};

/** The lower one of two limits, of which -1 is none. */
const lower = (a: number, b: number): number => (a === unlimited ? b : b === unlimited ? a : Math.min(a, b));

function setDefault(name: ResourceLimit, soft: number, hard: number): void {
  try {
    setResourceLimit(name, soft, hard);
  } catch (error) {
    if (!hasErrno(error, "EPERM")) throw error;
    // without CAP_SYS_RESOURCE the hard limit of whoever started the build is the most there is
    const most = lower(hard, hardLimit(name));
    setResourceLimit(name, lower(soft, most), most);
  }
}

/** Gives this process the limits of a step. */
export function setDefaultLimits(): void {
  for (const [name, [soft, hard]] of Object.entries(stepLimits)) setDefault(name as ResourceLimit, soft, hard);
}

/** Gives this process the limits that the build asks for. Throws USAGE_INVALID for unknown ones. */
export function setLimits(ulimits: SandboxSpec["ulimits"]): void {
  for (const { name, soft, hard } of ulimits) {
    if (!Object.hasOwn(resourceLimits, name))
      throw new BuildError("USAGE_INVALID", `ulimit ${JSON.stringify(name)}: no such limit`);
    setResourceLimit(name as ResourceLimit, soft, hard);
  }
}
