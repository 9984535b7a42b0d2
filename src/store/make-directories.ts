import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemErrorCode } from "./storage-error.ts";

/**
 * Makes the directory `path` and what is missing above it. Resolves with the topmost directory that was made; null when
 * all were there. Rejects with the system's error. Node's own `recursive` never ends where the kernel answers ENOENT to
 * every mkdir, as in /proc.
 */
export async function makeDirectories(path: string, mode = 0o777): Promise<string | null> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST" && (await stat(path)).isDirectory()) return null;
    const parent = dirname(path);
    if (systemErrorCode(error) !== "ENOENT" || parent === path || (await exists(parent))) throw error;
    const first = await makeDirectories(parent, mode);
    await mkdir(path, { mode });
    return first ?? path;
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
