import { closeSync, constants, fstatSync, readSync } from "node:fs";
import { BuildError } from "../../base/errors.ts";
import { openWithin, resolveFlags } from "../../sys/mount.ts";
import { hasErrno } from "../../sys/system-error.ts";

const sizeLimit = 10 << 20;

/**
 * Text of a small file of the image, found inside the directory `root`; null when there is none. It may be anything the
 * image's author likes: only a regular file of at most 10 MiB is read, and links into /proc are not followed.
 */
export function readImageFile(root: number, path: string): string | null {
  let fd: number;
  try {
    fd = openWithin(
      root,
      path,
      constants.O_RDONLY | constants.O_NONBLOCK,
      resolveFlags.inRoot | resolveFlags.noMagicLinks,
    );
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return null;
    throw new BuildError("RUN_USER_NOT_FOUND", `${path} of the image cannot be read`, { cause: error });
  }
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) throw new BuildError("RUN_USER_NOT_FOUND", `${path} of the image is not a regular file`);
    if (status.size > sizeLimit) {
      throw new BuildError(
        "RUN_USER_NOT_FOUND",
        `${path} of the image has ${status.size} bytes: want at most ${sizeLimit}`,
      );
    }
    const text = Buffer.alloc(status.size);
    let length = 0;
    for (let count = -1; count !== 0 && length < text.length; length += count) {
      count = readSync(fd, text, length, text.length - length, null);
    }
    return text.toString("utf8", 0, length);
  } finally {
    closeSync(fd);
  }
}
