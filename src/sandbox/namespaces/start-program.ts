import { chownSync, closeSync, constants, fchownSync, openSync } from "node:fs";
import { BuildError, isBuildError } from "../../base/errors.ts";
import { encodeName } from "../../base/file-name.ts";
import { parseGroup, parsePasswd } from "../../image/user-database.ts";
import {
  type Capability,
  clearAmbientCapabilities,
  limitBoundingSet,
  setCapabilities,
  setIdentity,
} from "../../sys/credentials.ts";
import { mount, mountFlags } from "../../sys/mount.ts";
import { closeDescriptorsFrom, duplicateDescriptor, executeProgram, inheritDescriptor } from "../../sys/process.ts";
import { installSeccompFilter } from "../../sys/seccomp.ts";
import { fromNodeError, hasErrno } from "../../sys/system-error.ts";
import { environmentValue, programCandidates } from "../program-search.ts";
import { type Identity, resolveUser } from "../resolve-user.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";
import { readImageFile } from "./image-file.ts";
import { makeDirectories } from "./image-paths.ts";
import { setLimits } from "./step-limits.ts";

/** Where the process reports what is wrong, until it executes the program. */
export const reportDescriptor = 3;

/** What root may do in a step, as in every container engine. */
const stepCapabilities: readonly Capability[] = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FSETID",
  "FOWNER",
  "MKNOD",
  "NET_RAW",
  "SETGID",
  "SETUID",
  "SETFCAP",
  "SETPCAP",
  "NET_BIND_SERVICE",
  "SYS_CHROOT",
  "KILL",
  "AUDIT_WRITE",
];

function identify(user: string): Identity {
  const root = openSync("/", constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const users = parsePasswd(readImageFile(root, "etc/passwd") ?? "");
    return resolveUser(user, users, parseGroup(readImageFile(root, "etc/group") ?? ""));
  } finally {
    closeSync(root);
  }
}

/** Goes to the working directory, made with its parents for the user who runs in it. */
function enterDirectory(cwd: string, identity: Identity): void {
  try {
    const path = makeDirectories(cwd, (made) => chownSync(made, identity.uid, identity.gid));
    process.chdir(path === "" ? "/" : path);
  } catch (error) {
    const reason = fromNodeError(error);
    if (isBuildError(reason, "STORE_NO_SPACE")) throw reason;
    const text = reason instanceof Error ? reason.message : String(reason);
    throw new BuildError("RUN_FAILED", `working directory ${JSON.stringify(cwd)}: ${text}`, { cause: reason });
  }
}

/** What the standard streams of the process are: pipes for output, one for input too, or a terminal. */
export type StepStreams = "output" | "input" | "terminal";

/** Makes sure that the step may open its streams by name; without input it gets an empty one. */
function prepareStreams(streams: StepStreams, identity: Identity): void {
  // something else may have been mounted there, a fifo for one
  if (streams === "output") {
    duplicateDescriptor(openSync("/dev/null", constants.O_RDONLY | constants.O_NONBLOCK), 0);
  }
  // the group of a terminal is that of those who may write to it
  const gid = streams === "terminal" ? -1 : identity.gid;
  for (const stream of streams === "output" ? [1, 2] : [0, 1, 2]) {
    fchownSync(stream, identity.uid, gid);
    inheritDescriptor(stream);
  }
}

function notStarted(program: string, status: 126 | 127, reason: string, cause: unknown): BuildError {
  return new BuildError("RUN_FAILED", `exec ${JSON.stringify(program)}: ${reason}`, {
    hint:
      status === 127
        ? `the image has no ${program}: install it in an earlier step, or start from another base`
        : undefined,
    details: { exitCode: status, program },
    cause,
  });
}

function execute(spec: SandboxSpec, environment: readonly string[]): never {
  const [program = ""] = spec.args;
  const args = spec.args.map(encodeName);
  const rows = environment.map(encodeName);
  let denied: unknown;
  for (const path of programCandidates(program, environmentValue(environment, "PATH") ?? "")) {
    try {
      executeProgram(encodeName(path), args, rows);
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) continue;
      if (hasErrno(error, "ENOEXEC")) throw notStarted(program, 126, "not a program for this machine", error);
      if (hasErrno(error, "E2BIG")) throw notStarted(program, 126, "arguments and environment are too long", error);
      if (!hasErrno(error, "EACCES")) throw notStarted(program, 126, "cannot be executed", error);
      denied = error;
    }
  }
  if (denied !== undefined) throw notStarted(program, 126, "permission denied", denied);
  throw notStarted(program, 127, program.includes("/") ? "no such file or directory" : "not found in PATH", undefined);
}

/** The environment with a HOME; an empty one is none. */
function withHome(environment: readonly string[], home: string): readonly string[] {
  if (environmentValue(environment, "HOME")) return environment;
  return [...environment.filter((row) => !row.startsWith("HOME=")), `HOME=${home}`];
}

/** Makes the root file system read-only; what is mounted in it stays as it is. */
function protectRoot(mayHaveDevices: boolean): void {
  const flags = mountFlags.remount | mountFlags.bind | mountFlags.readOnly | (mayHaveDevices ? 0 : mountFlags.noDev);
  mount({ source: null, target: "/", type: null, flags, data: null });
}

/** Finds the user in the image and makes sure that the working directory is there, and enters it. */
function enterImage(spec: SandboxSpec): Identity {
  const identity = identify(spec.user);
  enterDirectory(spec.cwd, identity);
  return identity;
}

/**
 * Does of `startProgram` what changes nothing for good, for a program that does not exist. Must be called inside the
 * sandbox.
 */
export function rehearseProgram(spec: SandboxSpec): void {
  const identity = enterImage(spec);
  setLimits(spec.ulimits);
  clearAmbientCapabilities();
  execute(spec, withHome(spec.env, identity.home));
}

/**
 * Becomes the program of the spec, with the rights a step has. Must be called inside the sandbox. `filter` is the
 * seccomp program, made by the caller. Does not return; throws when the user or the program does not exist.
 */
export function startProgram(spec: SandboxSpec, filter: Buffer, streams: StepStreams): never {
  const isPrivileged = spec.security === "insecure";
  // from here on paths come from the image: no descriptor may be left that one of them could name
  closeDescriptorsFrom(reportDescriptor + 1, "now");
  closeDescriptorsFrom(reportDescriptor, "atExecute");
  const identity = enterImage(spec);
  if (spec.isRootReadOnly === true) protectRoot(isPrivileged);
  prepareStreams(streams, identity);
  closeDescriptorsFrom(reportDescriptor, "atExecute");
  setLimits(spec.ulimits);
  process.umask(0o022);
  if (!isPrivileged) limitBoundingSet(stepCapabilities);
  clearAmbientCapabilities();
  // needs CAP_SYS_ADMIN, which the next lines give up
  if (!isPrivileged) installSeccompFilter(filter);
  setIdentity(identity.uid, identity.gid, identity.groups);
  if (!isPrivileged) setCapabilities(identity.uid === 0 ? stepCapabilities : []);
  execute(spec, withHome(spec.env, identity.home));
}
