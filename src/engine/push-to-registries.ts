import type { ProgressSink } from "../base/build-event.ts";
import { isBuildError, toWire } from "../base/errors.ts";
import { formatReference, type Reference } from "../image/reference.ts";
import type { Push } from "../output/push-content-of.ts";
import type { PushBlob, PushContent } from "../registry/push-content.ts";
import type { PushProgress, RegistryWriter } from "../registry/registry-writer.ts";
import { repositoriesOf } from "../registry/registry-writer.ts";

const reportEveryMs = 100;

/** Pushes as steps of progress, one for each repository. */
export function pushToRegistries(open: () => Promise<RegistryWriter>, sink: ProgressSink): Push {
  return async (content, references, signal) => {
    const writer = await open();
    const repositories = repositoriesOf(references);
    const nameOf = (repository: Pick<Reference, "registry" | "repository">): string =>
      `${repository.registry}/${repository.repository}`;
    const vertices = repositories.map((repository) => {
      const id = `push ${nameOf(repository)}`;
      return { id, name: `[push] ${nameOf(repository)}`, location: null };
    });
    sink.emit({ kind: "plan", atMs: Date.now(), vertices });
    const done: string[] = [];
    for (const repository of repositories) {
      const vertex = `push ${nameOf(repository)}`;
      const tags = references.filter((reference) => nameOf(reference) === nameOf(repository));
      sink.emit({ kind: "started", atMs: Date.now(), vertex });
      try {
        await writer.upload(repository, alsoFrom(content, done), reporting(vertex, sink), signal);
        for (const reference of tags) {
          await writer.tag(reference, content, signal);
          const line = `${formatReference(reference)}@${content.root.descriptor.digest}`;
          sink.emit({ kind: "log", atMs: Date.now(), vertex, stream: "stdout", line });
        }
      } catch (error) {
        if (isBuildError(error, "BUILD_CANCELLED")) sink.emit({ kind: "cancelled", atMs: Date.now(), vertex });
        else sink.emit({ kind: "failed", atMs: Date.now(), vertex, error: toWire(error) });
        throw error;
      }
      sink.emit({ kind: "completed", atMs: Date.now(), vertex });
      done.push(nameOf(repository));
    }
  };
}

/** What is in one repository of a registry by now, others of that registry can take over. */
const alsoFrom = (content: PushContent, repositories: readonly string[]): PushContent => ({
  ...content,
  blobs: content.blobs.map((blob) => ({ ...blob, origins: [...repositories, ...blob.origins] })),
});

function reporting(vertex: string, sink: ProgressSink): PushProgress {
  const reportedAtMs = new Map<string, number>();
  const report = (label: string, doneBytes: number, totalBytes: number): void =>
    sink.emit({ kind: "transfer", atMs: Date.now(), vertex, label, doneBytes, totalBytes });
  return {
    sent({ descriptor: { digest, size } }: PushBlob, doneBytes) {
      const nowMs = performance.now();
      // That all of it was sent does not mean that it arrived.
      if (doneBytes >= size || nowMs - (reportedAtMs.get(digest) ?? Number.NEGATIVE_INFINITY) < reportEveryMs) return;
      reportedAtMs.set(digest, nowMs);
      report(digest, doneBytes, size);
    },
    arrived({ descriptor: { digest, size } }, how) {
      report(how === "uploaded" ? digest : `${digest} (${how})`, size, size);
    },
  };
}
