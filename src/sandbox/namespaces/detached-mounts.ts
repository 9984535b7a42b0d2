import {
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { BuildError } from "../../base/errors.ts";
import { encodeName } from "../../base/file-name.ts";
import {
  attachMount,
  cloneMount,
  mount,
  mountAttributes,
  mountFlags,
  openWithin,
  resolveFlags,
  restrictMount,
} from "../../sys/mount.ts";
import { hasErrno } from "../../sys/system-error.ts";
import type { SandboxMount } from "../sandbox-spec.ts";
import type { MountPoints } from "./image-paths.ts";
import { mountOverlay } from "./overlay.ts";

/** A mount that has been found or made while the host was visible, and gets its place when it no longer is. */
export interface PreparedMount {
  readonly target: string;
  readonly type: "file" | "directory";
  /** `isNew`: the place was made for this mount. */
  attach(path: string, isNew: boolean): void;
}

const O_PATH = 0x200000;

/** Where prepared mounts keep what they need: existing directories, gone from sight with the host's root. */
export interface Staging {
  /** On disk, for what is written. */
  readonly scratch: string;
  /** In memory: an empty directory, and one for files whose content must not touch the disk. */
  readonly empty: string;
  readonly files: string;
}

/** A mount of `fd` that does not follow links out of it, attached later. */
function prepared(fd: number, target: string, attributes: number): PreparedMount {
  const type = fstatSync(fd).isDirectory() ? "directory" : "file";
  const mountFd = cloneMount(fd);
  restrictMount(mountFd, attributes);
  closeSync(fd);
  return { target, type, attach: (path) => attachMount(mountFd, encodeName(path)) };
}

/** Opens `subPath` inside the directory or file `source`; symlinks on the way end at `source`. */
function openSource(source: string, subPath: string): number {
  const whole = openSync(source, O_PATH);
  if (subPath === "" || subPath === "/") return whole;
  try {
    return openWithin(whole, subPath, O_PATH, resolveFlags.inRoot | resolveFlags.noMagicLinks);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) throw error;
    throw new BuildError("RUN_FAILED", `mount source ${JSON.stringify(subPath)}: not found`, { cause: error });
  } finally {
    closeSync(whole);
  }
}

const restricted = mountAttributes.noSuid | mountAttributes.noDev;
const writability = (isReadOnly: boolean): number => (isReadOnly ? mountAttributes.readOnly : 0);

function prepareOverlay(
  request: Extract<SandboxMount, { kind: "overlay" }>,
  name: string,
  staging: Staging,
): PreparedMount {
  const { lowers, subPath, readOnly } = request;
  const attributes = restricted | writability(readOnly);
  // overlayfs makes no read-only view of nothing
  if (readOnly && lowers.length === 0) return prepared(openSource(staging.empty, subPath), request.target, attributes);
  const directory = (part: string): string => {
    const path = join(staging.scratch, `${name}-${part}`);
    mkdirSync(path);
    return path;
  };
  const target = directory("merged");
  const writable = readOnly ? null : { upper: directory("upper"), work: directory("work") };
  mountOverlay({ target, lowers, writable, empty: staging.empty, flags: mountFlags.noDev });
  return prepared(openSource(target, subPath), request.target, attributes);
}

function prepareFile(request: Extract<SandboxMount, { kind: "file" }>, name: string, staging: Staging): PreparedMount {
  const path = join(staging.files, name);
  const fd = openSync(path, "wx", 0o600);
  writeFileSync(fd, Buffer.from(request.contentBase64, "base64"));
  chownSync(path, request.uid, request.gid);
  fchmodSync(fd, request.mode);
  closeSync(fd);
  const execution = (request.mode & 0o111) === 0 ? mountAttributes.noExec : 0;
  return prepared(openSync(path, O_PATH), request.target, restricted | mountAttributes.readOnly | execution);
}

function prepareTmpfs(request: Extract<SandboxMount, { kind: "tmpfs" }>): PreparedMount {
  return {
    target: request.target,
    type: "directory",
    attach: (path, isNew) => {
      // as runc has it: a tmpfs over a directory of the image takes over its mode
      const mode = isNew ? "1777" : (statSync(encodeName(path)).mode & 0o7777).toString(8);
      const size = request.sizeBytes === null ? "" : `,size=${request.sizeBytes}`;
      const flags = mountFlags.noSuid | mountFlags.noDev;
      mount({ source: "tmpfs", target: encodeName(path), type: "tmpfs", flags, data: `mode=${mode}${size}` });
    },
  };
}

function prepareMount(request: SandboxMount, name: string, staging: Staging): PreparedMount {
  switch (request.kind) {
    case "bind": {
      const attributes = restricted | writability(request.readOnly);
      return prepared(openSource(request.source, request.subPath), request.target, attributes);
    }
    case "overlay":
      return prepareOverlay(request, name, staging);
    case "file":
      return prepareFile(request, name, staging);
    case "socket":
      return prepared(
        openSync(request.source, O_PATH | constants.O_NOFOLLOW),
        request.target,
        restricted | mountAttributes.noExec,
      );
    case "tmpfs":
      return prepareTmpfs(request);
  }
}

/** Finds and makes everything that is to be mounted. */
export function prepareMounts(requests: readonly SandboxMount[], staging: Staging): readonly PreparedMount[] {
  return requests.map((request, index) => prepareMount(request, `mount-${index}`, staging));
}

/** Gives every mount its place below the root of this process, in the given order. */
export function attachMounts(mounts: readonly PreparedMount[], points: MountPoints): void {
  for (const { target, type, attach } of mounts) {
    const { path, isNew } = points.prepare(target, type);
    attach(path, isNew);
  }
}
