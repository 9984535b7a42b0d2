import { closeSync, openSync } from "node:fs";
import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { BuildError, isBuildError } from "../base/errors.ts";
import { lock, tryLock } from "../sys/lock.ts";
import {
  type ContainerExit,
  type ContainerRecord,
  type ContainerStart,
  parseContainer,
  parseContainerExit,
  parseContainerStart,
} from "./container-record.ts";
import { makeDirectories } from "./make-directories.ts";
import { readExpendableRecord, readRecord, writeRecord } from "./record-file.ts";
import { isMissing, withStorageErrors } from "./storage-error.ts";
import type { StorePaths } from "./store-paths.ts";

/** A container of the store, and what became of its process. */
export interface StoredContainer extends ContainerRecord {
  readonly isRunning: boolean;
  /** null before the process has begun. */
  readonly start: ContainerStart | null;
  /** null while it runs, and when whoever ran it was killed before it could note the end. */
  readonly exit: ContainerExit | null;
}

/** A container this process runs; nobody else may remove it before `close`. */
export interface OpenContainer {
  readonly id: string;
  readonly directory: string;
  noteStart(start: ContainerStart): Promise<void>;
  noteExit(exit: ContainerExit): Promise<void>;
  close(): void;
}

const idPattern = /^[0-9a-f]{64}$/;
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$/;

/**
 * Containers as the directories `containers/<id>` (docs/store.md). A container keeps its image in the store; it runs as
 * long as somebody holds the lock on its file `lock`, which the kernel drops with the process.
 */
export class ContainerStore {
  readonly #paths: StorePaths;

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  /**
   * Takes over the directory `draft`, which lies in the store's temporary directory, as the container of `record`. Image
   * and layers must be in the store. The container counts as running until it is closed, also when the store is closed
   * first. Throws CONTAINER_IN_USE when the name is taken, USAGE_INVALID when it cannot be one.
   */
  async add(draft: string, record: ContainerRecord): Promise<OpenContainer> {
    if (!namePattern.test(record.name))
      throw new BuildError("USAGE_INVALID", `container name ${JSON.stringify(record.name)}: want [a-zA-Z0-9_.-] only`, {
        hint: "a name has at least two characters and begins with a letter or digit",
      });
    await this.#paths.hold();
    const directory = this.#paths.container(record.id);
    const { id, name, image, imageId, diffIds, args, createdAtMs, isTransient, imageConfig } = record;
    const stored = { id, name, image, imageId, diffIds, args, createdAtMs, isTransient, imageConfig };
    await writeRecord(join(draft, recordName), stored, this.#paths.temporary, "durable");
    const ownLock = openSync(join(draft, lockName), "wx", 0o600);
    try {
      lock(ownLock, "exclusive");
      await this.#withNames(async () => {
        const other = (await this.#readable()).find((container) => container.name === name);
        if (other !== undefined)
          throw new BuildError(
            "CONTAINER_IN_USE",
            `container name ${JSON.stringify(name)}: taken by ${shortId(other)}`,
            {
              hint: `remove it with "tsbuild rm ${name}", or give another --name`,
            },
          );
        await withStorageErrors(directory, () => rename(draft, directory));
      });
    } catch (error) {
      closeSync(ownLock);
      throw error;
    }
    return {
      id,
      directory,
      noteStart: ({ pid, startedAtMs, mountPoints }) =>
        writeRecord(
          join(directory, startName),
          { pid, startedAtMs, mountPoints: mountPoints.map(({ path, type }) => ({ path, type })) },
          directory,
          "eventual",
        ),
      noteExit: ({ exitCode, finishedAtMs }) =>
        writeRecord(join(directory, exitName), { exitCode, finishedAtMs }, directory, "eventual"),
      close: () => closeSync(ownLock),
    };
  }

  /** All containers, the newest first. Throws STORE_RECORD_INVALID when a record is broken. */
  async list(): Promise<readonly StoredContainer[]> {
    const containers = await Promise.all((await this.#ids()).map((id) => this.get(id)));
    return containers.filter((container) => container !== null).sort((a, b) => b.createdAtMs - a.createdAtMs);
  }

  /** A container by its whole ID; null when there is none. Throws STORE_RECORD_INVALID when its record is broken. */
  async get(id: string): Promise<StoredContainer | null> {
    const directory = this.#paths.container(id);
    // First: who holds the lock may end at any time, and notes that before it lets go.
    const isHeld = isLocked(join(directory, lockName));
    const record = await readRecord(join(directory, recordName), parseContainer);
    if (record === null) return null;
    const start = await readExpendableRecord(join(directory, startName), parseContainerStart);
    const exit = await readExpendableRecord(join(directory, exitName), parseContainerExit);
    // Somebody else who holds it, to make an image of it, runs nothing.
    return { ...record, isRunning: isHeld && exit === null, start, exit };
  }

  /**
   * The ID of the container a user means by `text`: its name, its ID, or the beginning of that. Works also for one whose
   * record is broken. Throws CONTAINER_NOT_FOUND when it fits none, or several.
   */
  async find(text: string): Promise<string> {
    const ids = await this.#ids();
    if (ids.includes(text)) return text;
    const named = (await this.#readable()).find(({ name }) => name === text);
    if (named !== undefined) return named.id;
    const found = /^[0-9a-f]+$/.test(text) ? ids.filter((id) => id.startsWith(text)) : [];
    const [only] = found;
    if (only !== undefined && found.length === 1) return only;
    throw found.length === 0
      ? new BuildError("CONTAINER_NOT_FOUND", `container ${JSON.stringify(text)}: not found`, {
          hint: '"tsbuild ps -a" lists the containers of the store',
        })
      : new BuildError("CONTAINER_NOT_FOUND", `container ${JSON.stringify(text)}: fits ${found.length} containers`, {
          hint: "give more digits of the ID",
        });
  }

  /** As `get`, for what a user means by `text`. Throws as `find` and `get` do. */
  async open(text: string): Promise<StoredContainer> {
    const container = await this.get(await this.find(text));
    if (container !== null) return container;
    throw new BuildError("CONTAINER_NOT_FOUND", `container ${JSON.stringify(text)}: was removed just now`);
  }

  /** Keeps a container that does not run as it is, until what is returned is called. Throws CONTAINER_IN_USE. */
  hold(id: string): () => void {
    const fd = openSync(join(this.#paths.container(id), lockName), "r");
    if (tryLock(fd, "exclusive")) return () => closeSync(fd);
    closeSync(fd);
    throw new BuildError("CONTAINER_IN_USE", `container ${id.slice(0, 12)}: is running`, {
      hint: "let its program end first",
    });
  }

  /**
   * Removes a container with all it changed; its files follow when the store is closed. False when it is not there.
   * Throws CONTAINER_IN_USE while it runs.
   */
  async remove(id: string): Promise<boolean> {
    const directory = this.#paths.container(id);
    if (isLocked(join(directory, lockName)))
      throw new BuildError("CONTAINER_IN_USE", `container ${id.slice(0, 12)}: is running`, {
        hint: "end its program first, or have it killed with rm --force",
      });
    await this.#paths.hold();
    return withStorageErrors(directory, async () => {
      try {
        await rename(directory, join(this.#paths.temporary, `container-${id}`));
        return true;
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
    });
  }

  /** Removes transient containers whose process was killed before it could do so. */
  async sweep(): Promise<void> {
    for (const container of await this.#readable())
      if (container.isTransient && !container.isRunning) await this.remove(container.id);
  }

  /** Those whose records are whole. */
  async #readable(): Promise<readonly StoredContainer[]> {
    const containers = (await this.#ids()).map((id) =>
      this.get(id).catch((error: unknown) => {
        if (isBuildError(error, "STORE_RECORD_INVALID")) return null;
        throw error;
      }),
    );
    return (await Promise.all(containers)).filter((container) => container !== null);
  }

  async #ids(): Promise<readonly string[]> {
    const directory = this.#paths.container("");
    return withStorageErrors(directory, async () => {
      try {
        return (await readdir(directory)).filter((name) => idPattern.test(name));
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    });
  }

  /** Runs `work` while nobody else gives a name to a container. */
  async #withNames(work: () => Promise<void>): Promise<void> {
    const directory = this.#paths.container("");
    await withStorageErrors(directory, () => makeDirectories(directory, 0o700));
    const names = openSync(join(directory, lockName), "a", 0o600);
    try {
      lock(names, "exclusive");
      await work();
    } finally {
      closeSync(names);
    }
  }
}

const recordName = "container.json";
const startName = "start.json";
const exitName = "exit.json";
const lockName = "lock";

/** The first twelve digits of an ID, as docker shows it. */
const shortId = ({ id }: ContainerRecord): string => id.slice(0, 12);

function isLocked(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  try {
    return !tryLock(fd, "shared");
  } finally {
    closeSync(fd);
  }
}
