import { open } from "node:fs/promises";
import { BuildError } from "../../base/errors.ts";
import { hasErrno } from "../../sys/system-error.ts";

/** Where a secret's bytes come from: a file, or an environment variable of this process. */
export type SecretSource =
  | { readonly id: string; readonly kind: "file"; readonly path: string }
  | { readonly id: string; readonly kind: "env"; readonly name: string };

const sizeLimit = 500 * 1024;

async function readSecretFile(id: string, path: string): Promise<Buffer> {
  try {
    const file = await open(path);
    try {
      const bytes = Buffer.alloc(sizeLimit + 1);
      let length = 0;
      for (let count = -1; count !== 0 && length < bytes.length; length += count) {
        count = (await file.read(bytes, length)).bytesRead;
      }
      if (length > sizeLimit) {
        throw new BuildError("SECRET_NOT_FOUND", `secret ${id}: file ${path} has more than ${sizeLimit} bytes`);
      }
      return bytes.subarray(0, length);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "EACCES", "EISDIR", "ENOTDIR", "EPERM", "ELOOP")) throw error;
    throw new BuildError("SECRET_NOT_FOUND", `secret ${id}: file ${path} cannot be read`, {
      hint: `it is named by --secret id=${id}; the path is taken from the working directory`,
      cause: error,
    });
  }
}

/**
 * A secret's bytes, at most 500 KiB; null when it was not given and is not required. Throws SECRET_NOT_FOUND when it is
 * required or cannot be read.
 */
export async function readSecret(
  id: string,
  isRequired: boolean,
  sources: readonly SecretSource[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Buffer | null> {
  const source = sources.find((candidate) => candidate.id === id);
  if (source?.kind === "file") return readSecretFile(id, source.path);
  const value = source === undefined ? undefined : environment[source.name];
  if (value !== undefined) return Buffer.from(value);
  if (!isRequired) return null;
  throw new BuildError("SECRET_NOT_FOUND", `secret ${id}: not found`, {
    hint: `pass --secret id=${id},src=FILE or --secret id=${id},env=NAME`,
  });
}
