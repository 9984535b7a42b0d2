import { chmod, mkdir, readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BuildError } from "../base/errors.ts";
import { readSmallFile, replaceFile } from "./atomic-file.ts";
import type { BlobStore } from "./blob-store.ts";
import { ContainerStore } from "./container-store.ts";
import { DirectoryBlobStore } from "./directory-blob-store.ts";
import { ImageStore } from "./image-store.ts";
import { makeDirectories } from "./make-directories.ts";
import { Pins } from "./pins.ts";
import { Repositories } from "./repositories.ts";
import { systemErrorCode, withStorageErrors } from "./storage-error.ts";
import { LockedStoreHold } from "./store-hold.ts";
import type { StoreLock } from "./store-lock.ts";
import { StorePaths } from "./store-paths.ts";
import { nameTemporaryDirectory } from "./temporary-directory.ts";

/** A store that this process has opened. While it is held, nobody removes anything from it. */
export interface Store {
  /** Absolute path. */
  readonly root: string;
  readonly paths: StorePaths;
  readonly blobs: BlobStore;
  readonly images: ImageStore;
  readonly pins: Pins;
  readonly containers: ContainerStore;
  /** What others pushed into this store. */
  readonly repositories: Repositories;
  /** For cache mounts: one directory each, owned by `steps/`. */
  readonly mountsDirectory: string;
  /** For stat caches: one file a context. */
  readonly contextsDirectory: string;
  /** Of a store that is held. */
  readonly lock: StoreLock;
  /** Holds the store, if it is not held yet. Rejects as `StoreHold.take`. */
  hold(): Promise<void>;
  /** Lets go of the store and removes what was left unfinished. */
  close(): Promise<void>;
}

const formatVersion = 1;
const directories = [
  "blobs/sha256",
  "layers",
  "dirs",
  "images",
  "pins",
  "repositories",
  "cache",
  "mounts",
  "contexts",
  "containers",
  "quarantine",
  "tmp",
] as const;

/**
 * Opens the store in directory `root`, making it on first use, and holds it. Costs a few system calls, whatever is in
 * the store. Throws STORE_UNWRITABLE, STORE_NO_SPACE, STORE_TOO_NEW for a store of a later version, STORE_LOCKED.
 */
export async function openStore(root: string): Promise<Store> {
  const store = await openUnheldStore(root);
  await store.hold();
  return store;
}

/** As `openStore`, for somebody who may only read: the store is held as soon as something is to be written or used. */
export async function openUnheldStore(root: string): Promise<Store> {
  const path = resolve(root);
  if (!(await hasFormat(path))) await createStore(path);
  const temporary = nameTemporaryDirectory(join(path, "tmp"));
  const hold = new LockedStoreHold(path, temporary);
  const paths = new StorePaths(path, temporary.path, hold);
  return {
    root: path,
    paths,
    blobs: new DirectoryBlobStore(paths),
    images: new ImageStore(paths),
    pins: new Pins(paths),
    containers: new ContainerStore(paths),
    repositories: new Repositories(paths),
    mountsDirectory: join(path, "mounts"),
    contextsDirectory: join(path, "contexts"),
    get lock() {
      return hold.lock;
    },
    hold: () => hold.take(),
    close: () => hold.release(),
  };
}

/** False when there is no store yet. */
async function hasFormat(root: string): Promise<boolean> {
  const path = join(root, "format");
  const bytes = await readSmallFile(path).catch((error: unknown) => {
    if (systemErrorCode((error as Error).cause) === "ENOTDIR") throw notADirectory(root);
    throw error;
  });
  if (bytes === null) return false;
  const version = Number(/^tsbuild store (\d{1,9})\n$/.exec(bytes.toString("latin1"))?.[1] ?? Number.NaN);
  if (version === formatVersion) return true;
  if (version > formatVersion)
    throw new BuildError("STORE_TOO_NEW", `store "${root}": got format version ${version}, want ${formatVersion}`, {
      hint: "use the version of tsbuild that made it, or another directory with TSBUILD_ROOT",
    });
  throw new BuildError("STORE_UNWRITABLE", `store "${root}": the file "format" does not say what it is`, {
    hint: "remove the directory, or name another one with TSBUILD_ROOT",
  });
}

async function createStore(root: string): Promise<void> {
  await withStorageErrors(root, async () => {
    await makeDirectories(root, 0o700).catch((error: unknown) => {
      if (systemErrorCode(error) === "EEXIST" || systemErrorCode(error) === "ENOTDIR") throw notADirectory(root);
      throw error;
    });
    if (!(await stat(root)).isDirectory()) throw notADirectory(root);
    const ours = new Set<string>([...directories.map((name) => name.split("/", 1)[0] ?? ""), "lock", "lost+found"]);
    const foreign = (await readdir(root)).find((name) => !ours.has(name) && !name.startsWith("format"));
    if (foreign !== undefined)
      throw new BuildError("STORE_UNWRITABLE", `store "${root}": the directory holds other things ("${foreign}")`, {
        hint: "name an empty or new directory with TSBUILD_ROOT",
      });
    // Layers hold files with setuid bits: nobody else may get at them.
    await chmod(root, 0o700);
    for (const name of directories) await mkdir(join(root, name), { recursive: true, mode: 0o700 });
  });
  // Last, because it says that the rest is there.
  // The draft lies in a directory with an owner, so that a later open sweeps it if this process is killed here.
  const temporary = nameTemporaryDirectory(join(root, "tmp"));
  try {
    await temporary.make();
    await replaceFile(join(root, "format"), `tsbuild store ${formatVersion}\n`, temporary.path, "durable");
  } finally {
    await temporary.remove();
  }
}

const notADirectory = (root: string): BuildError =>
  new BuildError("STORE_UNWRITABLE", `store "${root}": not a directory`, {
    hint: "name a directory with TSBUILD_ROOT",
  });
