import { digestOf, parseDiffId } from "../../../src/base/digest.ts";
import { BuildError } from "../../../src/base/errors.ts";
import type { SourceLocation } from "../../../src/base/source-location.ts";
import type { ImageConfig } from "../../../src/image/image-config.ts";
import type { Platform } from "../../../src/image/platform.ts";
import { familiarReference, formatReference, parseReference } from "../../../src/image/reference.ts";
import type { EpochOrigin, NamedContext, PlanSources, ResolvedImage } from "../../../src/plan/plan-input.ts";

const defaultConfig: Pick<ImageConfig, "config" | "history" | "author" | "created"> = {
  config: { Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], Cmd: ["sh"] },
  history: [{ created: "2025-01-01T00:00:00Z", createdBy: "base", author: "", comment: "", emptyLayer: false }],
  author: "",
  created: "2025-01-01T00:00:00Z",
};

/** A world in which busybox exists and every named context is a directory, unless a test says otherwise. */
export class FakePlanSources implements PlanSources {
  readonly images = new Map<string, Partial<ImageConfig>>([["busybox:latest", {}]]);
  readonly contexts = new Map<string, NamedContext>();
  readonly epochs = new Map<string, number>();
  isIgnored: ((path: string) => boolean) | null = null;
  readonly asked: string[] = [];

  async resolveImage(
    text: string,
    platform: Platform,
    _location?: SourceLocation | null,
    _signal?: AbortSignal,
  ): Promise<ResolvedImage> {
    const reference = parseReference(text);
    const name = familiarReference(reference);
    this.asked.push(`image ${name}`);
    const given = this.images.get(name);
    if (given === undefined) throw new BuildError("SOURCE_NOT_FOUND", `${name}: not found`);
    const config = { platform, diffIds: [parseDiffId(digestOf(name))], ...defaultConfig, ...given };
    return {
      reference: formatReference(reference),
      manifest: digestOf(`manifest of ${name} for ${platform.architecture}`),
      config,
      hasLayers: config.diffIds.length > 0,
    };
  }

  async namedContext(name: string): Promise<NamedContext> {
    this.asked.push(`context ${name}`);
    return this.contexts.get(name) ?? { kind: "tree", context: name };
  }

  async sourceEpoch(origin: EpochOrigin): Promise<number | null> {
    const name = origin.kind === "context" ? origin.context : origin.url;
    this.asked.push(`epoch ${name}`);
    return this.epochs.get(name) ?? null;
  }
}
