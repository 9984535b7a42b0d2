import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { makeNode } from "../../sys/files.ts";
import { attachMount, cloneMount, mount, mountFlags } from "../../sys/mount.ts";
import { hasErrno } from "../../sys/system-error.ts";
import { makeSystemDirectory } from "./image-paths.ts";

const { readOnly, noSuid, noDev, noExec, strictAtime, remount, bind } = mountFlags;

/** Devices every step has: name, major and minor number. */
const devices = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
] as const;

const links = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
  ["ptmx", "pts/ptmx"],
] as const;

/** Mounts of device nodes, made where devices work, to be shown in a /dev where they do not. */
export interface DeviceMounts {
  readonly nodes: readonly { readonly name: string; readonly mountFd: number }[];
  /** As many more mounts of /dev/null as there are files to mask. */
  readonly masks: readonly number[];
}

/** Makes the devices in `directory`, a file system where they work. */
export function makeDevices(directory: string, maskCount: number): DeviceMounts {
  for (const [name, major, minor] of devices)
    makeNode(Buffer.from(`${directory}/${name}`), "char", 0o666, major, minor);
  return {
    nodes: devices.map(([name]) => ({ name, mountFd: cloneMount(null, `${directory}/${name}`) })),
    masks: Array.from({ length: maskCount }, () => cloneMount(null, `${directory}/null`)),
  };
}

function mountAt(target: string, type: string, flags: number, data: string | null = null): void {
  mount({ source: type, target, type, flags, data });
}

/** Mounts /proc of the PID namespace this process is in. */
export function mountProc(): void {
  makeSystemDirectory("/proc");
  mountAt("/proc", "proc", noSuid | noDev | noExec);
}

/** Mounts /dev and what lies in it. With `mayMakeDevices`, nodes that the step makes there work. */
export function mountDev(shmSizeBytes: number, nodes: DeviceMounts["nodes"], mayMakeDevices: boolean): void {
  makeSystemDirectory("/dev");
  mountAt("/dev", "tmpfs", noSuid | strictAtime | (mayMakeDevices ? 0 : noDev), "mode=755,size=65536k");
  for (const { name, mountFd } of nodes) {
    writeFileSync(`/dev/${name}`, "", { flag: "wx" });
    attachMount(mountFd, `/dev/${name}`);
  }
  for (const [name, target] of links) symlinkSync(target, `/dev/${name}`);
  // Not every kernel has it.
  if (existsSync("/proc/kcore")) symlinkSync("/proc/kcore", "/dev/core");
  for (const name of ["pts", "shm", "mqueue"]) mkdirSync(`/dev/${name}`, { mode: 0o755 });
  mountAt("/dev/pts", "devpts", noSuid | noExec, "newinstance,ptmxmode=0666,mode=0620,gid=5");
  mountAt("/dev/shm", "tmpfs", noSuid | noDev | noExec, `mode=1777,size=${shmSizeBytes}`);
  mountAt("/dev/mqueue", "mqueue", noSuid | noDev | noExec);
}

/** One control group hierarchy: its controllers, "" for the unified one. */
export type CgroupHierarchy = string;

/** The hierarchies this process is in, read while the host's /proc is visible. */
export function readCgroupHierarchies(): readonly CgroupHierarchy[] {
  return readFileSync("/proc/self/cgroup", "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(":")[1] ?? "");
}

function tryMountCgroup(target: string, type: string, flags: number, data: string | null): void {
  try {
    mountAt(target, type, flags, data);
  } catch (error) {
    // a hierarchy that the kernel does not let us see is one less to protect
    if (!hasErrno(error, "EBUSY", "EINVAL", "ENODEV", "EPERM", "ENOENT")) throw error;
  }
}

function mountCgroups(hierarchies: readonly CgroupHierarchy[], mode: number): void {
  const root = "/sys/fs/cgroup";
  const flags = noSuid | noDev | noExec | mode;
  if (statSync(root, { throwIfNoEntry: false }) === undefined) return;
  if (hierarchies.every((hierarchy) => hierarchy === "")) {
    tryMountCgroup(root, "cgroup2", flags, null);
    return;
  }
  mountAt(root, "tmpfs", noSuid | noDev | noExec, "mode=755");
  for (const hierarchy of hierarchies) {
    const isNamed = hierarchy.startsWith("name=");
    const name = hierarchy === "" ? "unified" : isNamed ? hierarchy.slice("name=".length) : hierarchy;
    mkdirSync(`${root}/${name}`);
    if (hierarchy === "") tryMountCgroup(`${root}/${name}`, "cgroup2", flags, null);
    else tryMountCgroup(`${root}/${name}`, "cgroup", flags, isNamed ? `none,${hierarchy}` : hierarchy);
    if (!isNamed && name.includes(",")) for (const one of name.split(",")) symlinkSync(name, `${root}/${one}`);
  }
  mount({ source: null, target: root, type: null, flags: remount | bind | flags, data: null });
}

/** Mounts /sys of the network namespace and the control groups; `isReadOnly` for all but privileged steps. */
export function mountSys(hierarchies: readonly CgroupHierarchy[], isReadOnly: boolean): void {
  const mode = isReadOnly ? readOnly : 0;
  makeSystemDirectory("/sys");
  mountAt("/sys", "sysfs", noSuid | noDev | noExec | mode);
  mountCgroups(hierarchies, mode);
}

/** Files that tell about, or reach into, the whole machine. */
export const maskedFiles = [
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/interrupts",
] as const;
const maskedDirectories = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
  "/sys/fs/selinux",
] as const;
const readOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"] as const;

const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** Directories with a processor's temperature history, which leaks what others do. */
function thermalDirectories(): readonly string[] {
  const processors = "/sys/devices/system/cpu";
  if (!exists(processors)) return [];
  return readdirSync(processors)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => `${processors}/${name}/thermal_throttle`);
}

/** Hides and write-protects parts of /proc and /sys. Comes last, so that nothing mounted later uncovers them. */
export function maskPaths(masks: DeviceMounts["masks"]): void {
  maskedFiles.forEach((path, index) => {
    const mask = masks[index];
    if (mask !== undefined && exists(path)) attachMount(mask, path);
  });
  for (const path of [...maskedDirectories, ...thermalDirectories()]) {
    if (exists(path)) mountAt(path, "tmpfs", readOnly | noSuid | noDev | noExec);
  }
  for (const path of readOnlyPaths.filter(exists)) {
    mount({ source: path, target: path, type: null, flags: bind, data: null });
    const flags = remount | bind | readOnly | noSuid | noDev | noExec;
    mount({ source: null, target: path, type: null, flags, data: null });
  }
}
