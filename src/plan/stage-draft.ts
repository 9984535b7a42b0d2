import type { SourceLocation } from "../base/source-location.ts";
import type { ImageConfig } from "../image/image-config.ts";
import type { Platform } from "../image/platform.ts";
import type { HistoryDraft, TreeSource } from "./build-graph.ts";
import { ConfigDraft } from "./config-draft.ts";
import { EnvironmentDraft } from "./environment-draft.ts";
import { appendHistory, type HistoryChain } from "./history-chain.ts";

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const instructionComment = "buildkit.dockerfile.v0";

/** What a stage amounts to after the instructions planned so far. */
export class StageDraft {
  /** The file system; a step that needs a parent makes a vertex of it first. */
  rootfs: TreeSource;
  /** What steps run on; differs from `imagePlatform` when a base image came for another platform than asked. */
  platform: Platform;
  imagePlatform: Platform;
  author: string;
  readonly config: ConfigDraft;
  readonly environment: EnvironmentDraft;
  /** Declared ARGs in order of their first declaration; null for one without a value. */
  readonly args: Map<string, string | null>;
  history: HistoryChain | null;
  /** A WORKDIR was set in the Dockerfile, not just by the base image. */
  hasOwnWorkdir: boolean;
  /** Where CMD, ENTRYPOINT and HEALTHCHECK stand in this very stage. */
  readonly seenOnce = new Map<"cmd" | "entrypoint" | "healthcheck", SourceLocation>();
  #runPrefix: { readonly environment: readonly string[]; readonly argCount: number; readonly text: string } | null =
    null;

  private constructor(
    rootfs: TreeSource,
    platform: Platform,
    image: Pick<ImageConfig, "platform" | "author">,
    config: ConfigDraft,
    parent: StageDraft | null,
  ) {
    this.rootfs = rootfs;
    this.platform = platform;
    this.imagePlatform = image.platform;
    this.author = image.author;
    this.config = config;
    this.environment = parent === null ? new EnvironmentDraft() : parent.environment.fork();
    this.args = new Map(parent?.args);
    this.history = parent?.history ?? null;
    this.hasOwnWorkdir = parent?.hasOwnWorkdir ?? false;
  }

  /** A stage on an image. */
  static fromImage(rootfs: TreeSource, platform: Platform, image: ImageConfig): StageDraft {
    const draft = new StageDraft(rootfs, platform, image, new ConfigDraft(image.config), null);
    for (const row of image.history) draft.#append({ kind: "base", row });
    return draft;
  }

  /** A stage on nothing, or on a tree that comes without an image config. */
  static fromScratch(rootfs: TreeSource, platform: Platform): StageDraft {
    const config = { Env: platform.os === "windows" ? [] : [`PATH=${defaultPath}`], WorkingDir: "/" };
    return new StageDraft(rootfs, platform, { platform, author: "" }, new ConfigDraft(config), null);
  }

  /** A tree that takes the place of a whole stage: its config is empty. */
  static fromBareTree(rootfs: TreeSource, platform: Platform): StageDraft {
    return new StageDraft(rootfs, platform, { platform, author: "" }, new ConfigDraft({}), null);
  }

  /** A stage on this one: everything is inherited but triggers. */
  fork(): StageDraft {
    const image = { platform: this.imagePlatform, author: this.author };
    return new StageDraft(this.rootfs, this.platform, image, this.config.fork(), this);
  }

  /**
   * Before the first instruction: makes sure of a PATH, gives the config's variables to the steps, where they win over
   * inherited ARGs, and drops the base's triggers, which are among the steps by now.
   */
  begin(): void {
    this.config.onBuild = [];
    if (!this.config.hasEnv("PATH") && this.platform.os !== "windows") this.config.setEnv("PATH", defaultPath);
    this.environment.setAll(this.config.env);
  }

  /** A history row of an instruction that makes no layer. */
  addEmptyRow(createdBy: string): void {
    this.#append({ kind: "empty", createdBy, comment: instructionComment });
  }

  /** A history row of the layer `vertex` makes. */
  addLayerRow(vertex: string, createdBy: string, comment: string = instructionComment): void {
    this.#append({ kind: "layer", vertex, createdBy, comment });
  }

  #append(row: HistoryDraft): void {
    this.history = appendHistory(this.history, row);
  }

  /** `|2 A=1 B= ` in front of a RUN's history text: the declared ARGs as the process sees them; "" without any. */
  runPrefix(): string {
    if (this.args.size === 0) return "";
    const environment = this.environment.toList();
    if (this.#runPrefix?.environment !== environment || this.#runPrefix.argCount !== this.args.size) {
      const pairs = [...this.args].map(([name, value]) => `${name}=${this.environment.get(name) ?? value ?? ""}`);
      this.#runPrefix = { environment, argCount: pairs.length, text: `|${pairs.length} ${pairs.join(" ")} ` };
    }
    return this.#runPrefix.text;
  }
}
