import { constants, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bringUpLoopback } from "../../sys/loopback.ts";
import { mount, mountFlags, pivotRoot, unmountLazily } from "../../sys/mount.ts";
import { leaveSessionKeyring, namespaces, setHostname, unshare } from "../../sys/namespaces.ts";
import { hasErrno } from "../../sys/system-error.ts";
import { hostsFile } from "../network-files.ts";
import type { TerminalSize } from "../runtime.ts";
import type { SandboxMount, SandboxSpec } from "../sandbox-spec.ts";
import { attachMounts, prepareMounts } from "./detached-mounts.ts";
import { enterTerminal } from "./enter-terminal.ts";
import { findHostDevices, makeHostDevices } from "./host-devices.ts";
import { MountPoints } from "./image-paths.ts";
import { mountOverlay } from "./overlay.ts";
import {
  makeDevices,
  maskedFiles,
  maskPaths,
  mountDev,
  mountProc,
  mountSys,
  readCgroupHierarchies,
} from "./system-mounts.ts";
import type { MountStub } from "./zygote-messages.ts";

function hostResolvConf(): string {
  try {
    return readFileSync("/etc/resolv.conf", "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "";
    throw error;
  }
}

const systemFile = (target: string, content: string): SandboxMount => ({
  kind: "file",
  target,
  contentBase64: Buffer.from(content).toString("base64"),
  mode: 0o644,
  uid: 0,
  gid: 0,
});

/**
 * Turns the calling process, the first of its PID namespace, into one that sees nothing but the sandbox: its own
 * namespaces, and a root made of the spec's layers. Everything from the host is found before the root changes; every
 * place for it is found after that, when a symlink in the image can no longer lead out. Returns the mount points that
 * were made in the upper directory. With `terminal` the process gets a terminal of that size (`enterTerminal`).
 */
export function prepareSandbox(spec: SandboxSpec, terminal: TerminalSize | null): readonly MountStub[] {
  const isPrivileged = spec.security === "insecure";
  unshare(
    namespaces.mount |
      namespaces.ipc |
      namespaces.uts |
      namespaces.cgroup |
      (spec.network === "none" ? namespaces.network : 0),
  );
  leaveSessionKeyring();
  setHostname(spec.hostname);
  if (spec.network === "none") bringUpLoopback();
  mount({ source: null, target: "/", type: null, flags: mountFlags.private | mountFlags.recursive, data: null });

  // Directories that only hold what is mounted in them lie in memory: on disk they would cost more than the mounts. What
  // the process writes stays on disk, in what the tmpfs hides.
  const onDisk = `/proc/self/fd/${openSync(spec.work, constants.O_RDONLY | constants.O_DIRECTORY)}`;
  mount({ source: "tmpfs", target: spec.work, type: "tmpfs", flags: mountFlags.noSuid, data: "mode=700" });
  const directory = (name: string): string => {
    const path = join(spec.work, name);
    mkdirSync(path, { mode: 0o755 });
    return path;
  };
  const staging = { scratch: onDisk, empty: directory("empty"), files: directory("files") };
  const devices = makeDevices(staging.files, maskedFiles.length);
  const hostDevices = isPrivileged ? findHostDevices() : [];
  const hierarchies = readCgroupHierarchies();
  const systemFiles = prepareMounts(
    [
      systemFile("/etc/hosts", hostsFile(spec.hostname, spec.extraHosts)),
      systemFile("/etc/resolv.conf", hostResolvConf()),
    ],
    { ...staging, files: directory("files/system") },
  );
  const mounts = prepareMounts(spec.mounts, staging);

  const root = directory("root");
  mountOverlay({
    target: root,
    lowers: spec.lowers,
    writable: { upper: spec.upper, work: onDisk },
    empty: staging.empty,
    flags: isPrivileged ? 0 : mountFlags.noDev,
  });
  process.chdir(root);
  pivotRoot(".", ".");
  unmountLazily(".");
  process.chdir("/");

  mountProc();
  mountDev(spec.shmSizeBytes, devices.nodes, isPrivileged);
  // before anything of the image or the spec can be in the place of its devices
  if (terminal !== null) enterTerminal(terminal);
  makeHostDevices(hostDevices);
  mountSys(hierarchies, !isPrivileged);
  const points = new MountPoints();
  attachMounts(systemFiles, points);
  attachMounts(mounts, points);
  if (!isPrivileged) maskPaths(devices.masks);
  return points.stubs;
}
