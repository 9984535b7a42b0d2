import { createHash } from "node:crypto";
import { join } from "node:path";
import { parseDigest } from "../base/digest.ts";
import { isBuildError } from "../base/errors.ts";
import type { HttpNote, HttpNotes } from "../steps/http-step.ts";
import { readSmallFile, replaceFile } from "../store/atomic-file.ts";
import type { Store } from "../store/open-store.ts";

/** Notes on URLs as small JSON files beside the stat caches. A broken one counts as none. */
export function storedHttpNotes(store: Store): HttpNotes {
  const fileOf = (url: string): string =>
    join(store.contextsDirectory, `url-${createHash("sha256").update(url).digest("hex")}`);
  return {
    async find(url) {
      const bytes = await readSmallFile(fileOf(url));
      return bytes === null ? null : parseNote(bytes.toString("utf8"));
    },
    async save(url, note) {
      await store.hold();
      await replaceFile(fileOf(url), `${JSON.stringify(note)}\n`, store.paths.temporary, "eventual");
    },
  };
}

function parseNote(text: string): HttpNote | null {
  try {
    const note = JSON.parse(text) as Partial<HttpNote>;
    const { etag = null, lastModified = null } = note.validators ?? {};
    if (etag === null && lastModified === null) return null;
    return {
      validators: {
        etag: etag === null ? null : String(etag),
        lastModified: lastModified === null ? null : String(lastModified),
      },
      digest: parseDigest(note.digest),
      modifiedAtSeconds: typeof note.modifiedAtSeconds === "number" ? note.modifiedAtSeconds : null,
    };
  } catch (error) {
    if (error instanceof SyntaxError || isBuildError(error)) return null;
    throw error;
  }
}
