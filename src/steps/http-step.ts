import { chmodSync, mkdirSync, renameSync, utimesSync } from "node:fs";
import { join } from "node:path";
import type { Digest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { encodeName } from "../base/file-name.ts";
import { type Download, download, type HttpValidators } from "../context/http-download.ts";
import { redactUrls } from "../context/redact-url.ts";
import { packDirectory } from "./pack-directory.ts";
import { addLayer, type StepContext } from "./step-context.ts";
import { httpKey } from "./step-key.ts";
import { readsNothing, type SpecOf, type Step } from "./step-op.ts";

/** What a URL's content was when it was last downloaded. */
export interface HttpNote {
  readonly validators: HttpValidators;
  readonly digest: Digest;
  readonly modifiedAtSeconds: number | null;
}

/** Remembers what URLs meant, so that what has not changed is not sent again. */
export interface HttpNotes {
  find(url: string): Promise<HttpNote | null>;
  save(url: string, note: HttpNote): Promise<void>;
}

/** The most a file that is added by URL may have. */
const maximumBytes = 64 * 2 ** 30;

interface Fetched {
  readonly note: HttpNote;
  /** Temporary directory with the content in `download`; null when the server says it is what it was. */
  readonly workDirectory: string | null;
}

/** ADD of a URL: a layer with the file, mode 0600, for a COPY to read from. */
export function httpStep(spec: SpecOf<"http">, context: StepContext): Step {
  let fetching: Promise<Fetched> | null = null;

  const fetchAnew = async (known: HttpNote | null, signal: AbortSignal): Promise<Fetched> => {
    const workDirectory = await context.layers.makeTemporary();
    const result: Download | null = await download(
      {
        url: spec.url,
        file: join(workDirectory, "download"),
        maximumBytes,
        authorization: null,
        known: known?.validators ?? null,
      },
      signal,
    );
    if (result === null && known !== null) return { note: known, workDirectory: null };
    if (result === null) throw new BuildError("INTERNAL", "a download without validators came back unchanged");
    const note = {
      validators: result.validators,
      digest: result.digest,
      modifiedAtSeconds: result.modifiedAtSeconds,
    };
    await context.httpNotes.save(spec.url, note);
    return { note, workDirectory };
  };
  const fetched = (signal: AbortSignal): Promise<Fetched> => {
    fetching ??= context.httpNotes.find(spec.url).then((known) => fetchAnew(known, signal));
    return fetching;
  };

  return {
    ...readsNothing,
    parents: [],
    async key(_parents, _reads, signal) {
      // A checksum says what the content is: the server need not be asked.
      if (spec.checksum !== null) return httpKey(spec, spec.checksum, null);
      const { note } = await fetched(signal);
      return httpKey(spec, note.digest, note.modifiedAtSeconds ?? 0);
    },
    async run(_inputs, signal) {
      const first = spec.checksum === null ? await fetched(signal) : await fetchAnew(null, signal);
      const { note, workDirectory } = first.workDirectory === null ? await fetchAnew(null, signal) : first;
      if (workDirectory === null) throw new BuildError("INTERNAL", "a download left no file");
      if (spec.checksum !== null && note.digest !== spec.checksum)
        throw new BuildError(
          "ADD_CHECKSUM_MISMATCH",
          `digest mismatch for ${redactUrls(spec.url)}: got ${note.digest}, want ${spec.checksum}`,
        );
      const root = join(workDirectory, "root");
      mkdirSync(root, { mode: 0o755 });
      const file = Buffer.concat([Buffer.from(`${root}/`), encodeName(spec.fileName)]);
      renameSync(join(workDirectory, "download"), file);
      chmodSync(file, 0o600);
      const mtimeSeconds = note.modifiedAtSeconds ?? 0;
      utimesSync(file, mtimeSeconds, mtimeSeconds);
      const nowMs = context.nowMs();
      return addLayer(null, await packDirectory(root, workDirectory, nowMs, context, signal), nowMs);
    },
  };
}
