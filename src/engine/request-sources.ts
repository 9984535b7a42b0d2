import type { SourceLocation } from "../base/source-location.ts";
import { parseGitUrl } from "../context/git-url.ts";
import type { Platform } from "../image/platform.ts";
import type { EpochOrigin, NamedContext, PlanSources, ResolvedImage } from "../plan/plan-input.ts";
import type { BuildContexts } from "./build-contexts.ts";
import type { ImageResolver } from "./image-resolver.ts";

const imageScheme = "docker-image://";
const layoutScheme = "oci-layout://";

/** What planning asks of the outside world, answered for one request. */
export class RequestSources implements PlanSources {
  readonly isIgnored: ((path: string) => boolean) | null;
  readonly #namedContexts: ReadonlyMap<string, string>;
  readonly #contexts: BuildContexts;
  readonly #images: ImageResolver;

  constructor(
    namedContexts: ReadonlyMap<string, string>,
    contexts: BuildContexts,
    images: ImageResolver,
    isIgnored: ((path: string) => boolean) | null,
  ) {
    this.#namedContexts = namedContexts;
    this.#contexts = contexts;
    this.#images = images;
    this.isIgnored = isIgnored;
  }

  resolveImage(
    reference: string,
    platform: Platform,
    location: SourceLocation | null,
    signal: AbortSignal,
  ): Promise<ResolvedImage> {
    return this.#images.resolve(reference, platform, location, signal);
  }

  async namedContext(name: string, platform: Platform, signal: AbortSignal): Promise<NamedContext> {
    const source = this.#namedContexts.get(name) ?? "";
    if (source === `${imageScheme}scratch`) return { kind: "scratch" };
    if (source.startsWith(imageScheme)) {
      const reference = source.slice(imageScheme.length);
      return { kind: "image", image: await this.#images.resolve(reference, platform, null, signal) };
    }
    if (source.startsWith(layoutScheme))
      return { kind: "image", image: await this.#images.resolveLayout(source, platform, signal) };
    const git = parseGitUrl(source);
    if (git !== null) {
      const { remote: url, ref, subdir, keepGitDir, submodules, checksum } = git;
      return {
        kind: "git",
        url,
        ref,
        subdir,
        keepGitDir: keepGitDir ?? false,
        submodules: submodules ?? true,
        checksum,
      };
    }
    await this.#contexts.open(name, signal);
    return { kind: "tree", context: name };
  }

  async sourceEpoch(origin: EpochOrigin, signal: AbortSignal): Promise<number | null> {
    switch (origin.kind) {
      case "context":
        return this.#contexts.modifiedAt(origin.context, signal);
      case "git":
        return this.#contexts.remote.commitTime(
          { remote: origin.url, ref: origin.ref, checksum: origin.checksum },
          signal,
        );
      case "http":
        return this.#contexts.remote.timeOfUrl(origin.url, origin.checksum, signal);
    }
  }
}
