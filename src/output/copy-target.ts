import { type Stats, statSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { BuildError } from "../base/errors.ts";
import { isMissing, systemErrorCode } from "../store/storage-error.ts";
import { destinationError } from "./destination-error.ts";

/** What is copied. */
export interface CopySource {
  readonly isDirectory: boolean;
  /** Copy what lies in the directory, not the directory itself. */
  readonly isContent: boolean;
  /** What it is called where it comes from; "" for the root. */
  readonly name: string;
}

/** Where it goes: into the existing directory `into`, as `folder`; "" for straight into it. */
export interface CopyTarget {
  readonly into: string;
  readonly folder: string;
}

/**
 * Where a copy to `destination` goes, by the rules of docker cp: into a directory that exists under its own name, over a
 * file, or to a new path whose parent exists. A link at the end is followed to what exists. Throws
 * EXPORT_DESTINATION_INVALID.
 */
export async function chooseCopyTarget(source: CopySource, destination: string): Promise<CopyTarget> {
  const refuse = (problem: string, hint?: string): BuildError =>
    new BuildError("EXPORT_DESTINATION_INVALID", `output ${JSON.stringify(destination)}: ${problem}`, { hint });
  const there = await statOrNull(destination);
  if (there?.isDirectory() === true)
    return { into: await realpath(destination), folder: source.isContent ? "" : source.name };
  if (there !== null && source.isDirectory) throw refuse("is no directory, and a directory cannot become a file");
  if (there !== null && !there.isFile())
    throw refuse("is neither a file nor a directory", "tsbuild cat writes a file to any stream");
  if (there === null && !source.isDirectory && /(?:^|\/)\.?$/.test(destination))
    throw refuse("no such directory", "make the directory first");
  const path = there === null ? resolve(destination) : await realpath(destination);
  const parent = dirname(path);
  if (statSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw refuse(`there is no directory ${JSON.stringify(parent)}`, "make the directory first");
  return { into: await realpath(parent), folder: basename(join(path)) };
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error) || systemErrorCode(error) === "ENOTDIR") return null;
    throw destinationError(error, path);
  }
}
