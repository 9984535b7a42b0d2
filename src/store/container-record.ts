import { type DiffId, type Digest, parseDiffId, parseDigest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { RecordFields } from "./record-fields.ts";

/** What a container was made of; the file `container.json`. */
export interface ContainerRecord {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  /** The image as it was asked for. */
  readonly image: string;
  readonly imageId: Digest;
  /** The layers below its upper directory, lowest first. */
  readonly diffIds: readonly DiffId[];
  /** What it runs. */
  readonly args: readonly string[];
  readonly createdAtMs: number;
  /** Nobody wants it when its process has ended. */
  readonly isTransient: boolean;
  /** An image config with the members of this container: what an image made of it begins with. */
  readonly imageConfig: string;
}

/** The process of a container when it began; the file `start.json`. */
export interface ContainerStart {
  /** Number of the process, as the host sees it. */
  readonly pid: number;
  readonly startedAtMs: number;
  /** What was made in its upper directory only to mount something on it; whoever runs it removes that afterwards. */
  readonly mountPoints: readonly { readonly path: string; readonly type: "file" | "directory" }[];
}

/** How it ended; the file `exit.json`. */
export interface ContainerExit {
  readonly exitCode: number;
  readonly finishedAtMs: number;
}

/** Reads a container's record; throws STORE_RECORD_INVALID when it is broken. */
export function parseContainer(fields: RecordFields): ContainerRecord {
  return {
    id: fields.text("id"),
    name: fields.text("name"),
    image: fields.text("image"),
    imageId: parseDigest(fields.text("imageId")),
    diffIds: fields.list("diffIds", parseDiffId),
    args: fields.list("args", parseText),
    createdAtMs: fields.count("createdAtMs"),
    isTransient: fields.json("isTransient") === true,
    imageConfig: fields.text("imageConfig"),
  };
}

export const parseContainerStart = (fields: RecordFields): ContainerStart => ({
  pid: fields.count("pid"),
  startedAtMs: fields.count("startedAtMs"),
  mountPoints: fields.list("mountPoints", (item) => {
    const point = new RecordFields("mount point", item);
    return { path: point.text("path"), type: point.text("type") === "file" ? "file" : "directory" };
  }),
});

export const parseContainerExit = (fields: RecordFields): ContainerExit => ({
  exitCode: fields.count("exitCode"),
  finishedAtMs: fields.count("finishedAtMs"),
});

function parseText(item: unknown): string {
  if (typeof item === "string") return item;
  throw new BuildError("STORE_RECORD_INVALID", "args: want strings");
}
