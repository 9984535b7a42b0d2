import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { hasErrno } from "../../sys/system-error.ts";
import type { CgroupFiles } from "./cgroup-files.ts";
import { enableControllers, type GroupPlace, unusable } from "./place-groups.ts";
import { type KnobSetting, type ResourceLimits, settingsOf } from "./resource-limits.ts";

/** What the limits did so far, as counts. */
export interface LimitEvents {
  /** Processes that were killed because there was no memory left for them. */
  readonly oomKills: number;
  /** Processes and threads that were refused. */
  readonly refusedProcesses: number;
}

/** The control groups of one step. */
export interface StepCgroup {
  /** The step is to enter each of these. */
  readonly directories: readonly string[];
  /** Since the step began; with other steps at the same time, processes may have been refused to those. */
  events(): LimitEvents;
  /** To be called when no process of the step is left. */
  remove(): Promise<void>;
}

/** The control groups of a build, one in each hierarchy: they have the limits, and the groups of its steps in them. */
export class BuildCgroup {
  readonly #places: readonly GroupPlace[];
  readonly #name: string;
  readonly #files: CgroupFiles;
  #lastStep = 0;

  /** Makes the groups `name` in `places`. Throws RUNTIME_UNAVAILABLE, and leaves nothing, when a limit cannot be set. */
  constructor(limits: ResourceLimits, places: readonly GroupPlace[], name: string, files: CgroupFiles) {
    this.#places = places;
    this.#name = name;
    this.#files = files;
    const settings = settingsOf(limits, (controller) => this.#placeOf(controller)?.version ?? 2);
    let what = settings[0]?.flag ?? "";
    const made: string[] = [];
    try {
      for (const place of places) {
        what = settings.find(({ controller }) => place.controllers.includes(controller))?.flag ?? what;
        files.makeDirectory(join(place.parent, name));
        made.push(join(place.parent, name));
        prepareGroup(place, place.parent, name, files);
      }
      for (const setting of settings) {
        what = `${setting.flag}: ${setting.knob} ${JSON.stringify(setting.value)}`;
        this.#write(setting);
      }
      for (const place of places) {
        if (place.version === 2) enableControllers(join(place.parent, name), place.controllers, files);
      }
    } catch (error) {
      for (const directory of made) tryRemoveGroup(directory, files);
      throw unusable(what, error);
    }
  }

  #placeOf(controller: string): GroupPlace | undefined {
    return this.#places.find(({ controllers }) => controllers.some((name) => name === controller));
  }

  #write({ controller, knob, value, isImplied }: KnobSetting): void {
    const place = this.#placeOf(controller);
    if (place === undefined) return;
    const path = join(place.parent, this.#name, knob);
    if (isImplied && this.#files.read(path) === null) return;
    this.#files.write(path, value);
  }

  /** Makes the groups of a step. Throws RUNTIME_UNAVAILABLE. */
  openStep(): StepCgroup {
    const files = this.#files;
    this.#lastStep += 1;
    const name = `step-${this.#lastStep}`;
    for (const place of this.#places) {
      const parent = join(place.parent, this.#name);
      try {
        files.makeDirectory(join(parent, name));
        prepareGroup(place, parent, name, files);
      } catch (error) {
        throw unusable(`control group ${JSON.stringify(join(parent, name))}`, error);
      }
    }
    const refusedBefore = this.#count("pids", "", "max");
    return {
      directories: this.#places.map(({ parent }) => join(parent, this.#name, name)),
      events: () => ({
        oomKills: this.#count("memory", name, "oom_kill"),
        // older kernels count at the group that asked, newer ones at the group that has the limit
        refusedProcesses: this.#count("pids", name, "max") + this.#count("pids", "", "max") - refusedBefore,
      }),
      remove: async () => {
        for (const { parent } of this.#places) await removeGroup(join(parent, this.#name, name), files);
      },
    };
  }

  /** A count of a controller's events in the build's group, or in the group `step` of it. */
  #count(controller: "memory" | "pids", step: string, event: string): number {
    const place = this.#placeOf(controller);
    if (place === undefined) return 0;
    const file = controller === "memory" && place.version === 1 ? "memory.oom_control" : `${controller}.events`;
    const text = this.#files.read(join(place.parent, this.#name, step, file)) ?? "";
    return Number(new RegExp(`^${event} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
  }

  /** Removes the groups; what cannot be removed is left to a later build (`removeDeadGroups`). */
  async remove(): Promise<void> {
    for (const { parent } of this.#places) await removeGroup(join(parent, this.#name), this.#files);
  }
}

/** Gives the new group `name` in `parent` the processors of `parent`: in version 1 it has none, and cannot be entered. */
function prepareGroup({ mounted }: GroupPlace, parent: string, name: string, files: CgroupFiles): void {
  const directory = join(parent, name);
  if (!mounted.includes("cpuset")) return;
  for (const knob of ["cpuset.cpus", "cpuset.mems"]) {
    files.write(join(directory, knob), files.read(join(parent, knob)) ?? "");
  }
}

/** Removes a group and those in it; whether it is gone. */
export function tryRemoveGroup(directory: string, files: CgroupFiles): boolean {
  for (const name of files.groupsIn(directory)) if (!tryRemoveGroup(join(directory, name), files)) return false;
  try {
    files.removeDirectory(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return true;
    if (hasErrno(error, "EBUSY", "ENOTEMPTY")) return false;
    throw error;
  }
  return true;
}

const removalAttempts = 50;
const removalPauseMs = 10;

/** The kernel may still be ending processes of which the end is already known. */
async function removeGroup(directory: string, files: CgroupFiles): Promise<void> {
  for (let attempt = 0; attempt < removalAttempts; attempt += 1) {
    if (tryRemoveGroup(directory, files)) return;
    await setTimeout(removalPauseMs);
  }
}
