import { BuildError } from "../base/errors.ts";
import { openImageTree } from "../engine/image-tree.ts";
import { type ImageWorkshop, withImageWorkshop } from "../engine/image-workshop.ts";
import type { Entry } from "../layer/entry.ts";
import type { FileTree } from "../layer/file-tree.ts";
import { baseNameOf } from "../layer/path-order.ts";
import { resolveInTree } from "../layer/resolve-path.ts";
import { chooseCopyTarget } from "../output/copy-target.ts";
import { countBytes } from "../output/count-bytes.ts";
import type { RootfsSpec } from "../output/rootfs-entries.ts";
import { rootfsTar } from "../output/rootfs-tar.ts";
import { writeDestination } from "../output/write-destination.ts";
import { writeIntoDirectory } from "../output/write-into-directory.ts";
import { chooseImage, choosePlatform } from "./choose-images.ts";
import type { CpOptions } from "./image-commands.ts";
import { parseImagePath } from "./image-path.ts";
import { refuseTerminal } from "./refuse-terminal.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild cp`: a file or directory of an image to a place here, or as a tar to stdout. */
export async function runCp(source: string, destination: string, options: CpOptions): Promise<void> {
  const { image: name, path } = parseImagePath(source);
  if (path === null)
    throw new BuildError("USAGE_INVALID", `${JSON.stringify(source)}: path is missing`, {
      hint: "write it like ns/app:1.0:/etc/passwd",
    });
  if (destination === "") throw new BuildError("USAGE_INVALID", "the destination is empty");
  const keepsOwners = options.archive === true;
  if (keepsOwners && destination !== "-" && process.geteuid?.() !== 0)
    throw new BuildError("EXPORT_UNSUPPORTED", "cp --archive: only root can give files away");
  refuseTerminal(process.stdout, destination);
  const settings = { root: storeRoot(options.root), environment: process.env };
  const summary = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, async (workshop) => {
      const { image } = await chooseImage(workshop.store, name);
      const platform = choosePlatform(image, options.platform);
      const tree = await openImageTree(platform, workshop, signal);
      const found = findSource(tree, path, options.followLink === true);
      const layers = await Promise.all(platform.diffIds.map((diffId) => workshop.layers.readable(diffId, signal)));
      const copy: Copy = { found, layers, destination, keepsOwners };
      return destination === "-" ? copyToStdout(copy, signal) : copyToDirectory(copy, workshop, signal);
    }),
  );
  if (options.quiet !== true) process.stderr.write(`${summary}\n`);
}

interface Found {
  readonly entry: Entry;
  readonly isContent: boolean;
  /** What it is called at the destination; "" for the root. */
  readonly name: string;
}

interface Copy {
  readonly found: Found;
  readonly layers: RootfsSpec["layers"];
  readonly destination: string;
  readonly keepsOwners: boolean;
}

/** What `path` means: a link at its end itself, or what it leads to when asked for, or when a "/" follows it. */
function findSource(tree: FileTree, path: string, followsLink: boolean): Found {
  const wantsDirectory = /\/\.?$/.test(path);
  const place = resolveInTree(tree, path, "parents");
  const entry = tree.lstat(followsLink || wantsDirectory ? resolveInTree(tree, path, "all") : place);
  if (entry === null) throw new BuildError("IMAGE_NOT_FOUND", `path ${JSON.stringify(path)}: not in the image`);
  if (wantsDirectory && entry.type !== "directory")
    throw new BuildError("IMAGE_NOT_FOUND", `path ${JSON.stringify(path)}: is a ${entry.type}, want a directory`);
  return { entry, isContent: path.endsWith("/.") || entry.path === "", name: place === "" ? "" : baseNameOf(place) };
}

async function copyToStdout({ found, layers }: Copy, signal: AbortSignal): Promise<string> {
  const folder = found.isContent ? "" : found.name;
  const tar = rootfsTar([{ folder, path: found.entry.path, layers, epoch: null }]);
  const sizeBytes = await writeDestination("-", countBytes(tar, undefined), process.stdout, signal);
  return `wrote ${sizeBytes} bytes`;
}

async function copyToDirectory(copy: Copy, { tasks }: ImageWorkshop, signal: AbortSignal): Promise<string> {
  const { found, layers, destination, keepsOwners } = copy;
  const isDirectory = found.entry.type === "directory";
  const { into, folder } = await chooseCopyTarget({ ...found, isDirectory }, destination);
  const roots = [{ folder, path: found.entry.path, layers, epoch: null }];
  const options = { roots, into, destination, asRoot: keepsOwners, keepsKinds: true };
  const files = await writeIntoDirectory(options, tasks, signal);
  if (files === 0 && !isDirectory)
    throw new BuildError("EXPORT_UNSUPPORTED", `path "/${found.entry.path}": is a ${found.entry.type} device`, {
      hint: "copy devices with --archive, as root",
    });
  return `copied ${files} ${files === 1 ? "file" : "files"} to ${destination}`;
}
