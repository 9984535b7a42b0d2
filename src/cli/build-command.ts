import { rename, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { ProgressSink } from "../base/build-event.ts";
import { BuildError, isBuildError, toWire } from "../base/errors.ts";
import type { BuildReceipt, BuildRequest } from "../engine/build-request.ts";
import { openEngine } from "../engine/engine.ts";
import { formatPlatform, type Platform, parsePlatform } from "../image/platform.ts";
import { type OutputSpec, parseOutputFlag } from "../output/parse-output-flag.ts";
import type { Entitlement } from "../plan/plan-input.ts";
import {
  parseAnnotations,
  parseBuildArgs,
  parseExtraHosts,
  parseNamedContexts,
  parsePairs,
  parseSecrets,
  parseSize,
  parseSquash,
  parseSsh,
  parseUlimits,
} from "./build-flags.ts";
import type { BuildOptions } from "./command-line.ts";
import { FailureRecorder } from "./failure-recorder.ts";
import { parseLimits } from "./limit-flags.ts";
import { createPlainRenderer } from "./progress/plain-renderer.ts";
import type { ProgressRenderer, Write } from "./progress/progress-renderer.ts";
import { quietRenderer } from "./progress/quiet-renderer.ts";
import { createRawJsonRenderer } from "./progress/rawjson-renderer.ts";
import { createTtyRenderer } from "./progress/tty-renderer.ts";
import { renderError } from "./render-error.ts";
import { renderSquash } from "./render-squash.ts";
import { renderWarnings } from "./render-warnings.ts";
import { ReportedError } from "./reported-error.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild build`: builds, shows progress on stderr, prints what was made. */
export async function runBuild(context: string, options: BuildOptions): Promise<void> {
  const request = toRequest(context, options);
  const toStderr = inTurns((text) => void process.stderr.write(text));
  const renderer = chooseRenderer(options, toStderr);
  const recorder = new FailureRecorder();
  const sink: ProgressRenderer = {
    emit(event) {
      recorder.emit(event);
      renderer.emit(event);
    },
    close: () => renderer.close(),
  };
  try {
    const receipt = await withInterrupt(async (signal) => {
      const engine = await openEngine({ root: storeRoot(options.root), environment: process.env });
      try {
        return await engine.build(request, sink, signal);
      } finally {
        await engine.close();
      }
    });
    emitResult(receipt, sink);
    sink.close();
    await report(receipt, request, options, toStderr);
  } catch (error) {
    sink.emit({ kind: "error", atMs: Date.now(), error: toWire(error) });
    sink.close();
    if (options.progress !== "rawjson" || options.debug === true)
      toStderr(renderError(error, await recorder.contextOf(error, options.debug === true)));
    throw new ReportedError(error);
  }
}

/** Writes all text of one turn at once: that so many steps are cached is known at the same time. */
function inTurns(write: Write): Write {
  let pending = "";
  return (text) => {
    if (pending === "")
      queueMicrotask(() => {
        const all = pending;
        pending = "";
        write(all);
      });
    pending += text;
  };
}

/** For renderers that show everything as events; the others leave the end to `report`. */
function emitResult(receipt: BuildReceipt, sink: ProgressSink): void {
  const atMs = Date.now();
  for (const warning of receipt.warnings) sink.emit({ kind: "warning", atMs, ...warning });
  for (const report of receipt.squashed)
    sink.emit({ kind: "output", atMs, summary: renderSquash(report), manifest: null });
  for (const { summary, manifest } of receipt.outputs) sink.emit({ kind: "output", atMs, summary, manifest });
}

async function report(
  receipt: BuildReceipt,
  request: BuildRequest,
  options: BuildOptions,
  toStderr: Write,
): Promise<void> {
  const isQuiet = options.quiet === true;
  if (!isQuiet && options.progress !== "rawjson") {
    toStderr(renderWarnings(receipt.warnings));
    for (const squashed of receipt.squashed) toStderr(`${renderSquash(squashed)}\n`);
    for (const output of receipt.outputs) toStderr(`${output.summary}\n`);
  }
  const imageIds = receipt.images.map(({ imageId }) => imageId).join("\n");
  if (isQuiet) process.stdout.write(`${imageIds}\n`);
  if (options.iidfile !== undefined) await replaceFile(options.iidfile, imageIds);
  if (options.metadataFile !== undefined) {
    const metadata = {
      "containerimage.config.digest": receipt.images[0]?.imageId,
      "containerimage.digest": receipt.outputs.find(({ manifest }) => manifest !== null)?.manifest ?? undefined,
      "image.name": request.tags.length === 0 ? undefined : request.tags.join(","),
      images: receipt.images.map(({ platform, imageId }) => ({ platform: formatPlatform(platform), imageId })),
    };
    await replaceFile(options.metadataFile, `${JSON.stringify(metadata, null, 2)}\n`);
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`;
  try {
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (error) {
    throw new BuildError("EXPORT_DESTINATION_INVALID", `${path}: ${(error as Error).message}`, { cause: error });
  }
}

export function chooseRenderer(options: Pick<BuildOptions, "quiet" | "progress">, write: Write): ProgressRenderer {
  if (options.quiet === true) return quietRenderer;
  const kind = options.progress === "auto" ? (process.stderr.isTTY ? "tty" : "plain") : options.progress;
  switch (kind) {
    case "tty":
      return createTtyRenderer(write, () => ({
        columns: process.stderr.columns ?? 80,
        rows: process.stderr.rows ?? 24,
      }));
    case "rawjson":
      return createRawJsonRenderer(write);
    case "quiet":
      return quietRenderer;
    default:
      return createPlainRenderer(write);
  }
}

/** The request a command line stands for; throws USAGE_* for values that make no sense. */
export function toRequest(context: string, options: BuildOptions): BuildRequest {
  return {
    context,
    // Only when asked for: making a stream takes milliseconds.
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return process.stdout;
    },
    dockerfile: options.file ?? null,
    tags: options.tag,
    buildArgs: parseBuildArgs(options.buildArg, process.env),
    target: options.target ?? null,
    platforms: options.platform.map(parsePlatformFlag),
    noCache: options.cache ? (options.cacheFilter.length === 0 ? false : options.cacheFilter) : true,
    pull: options.pull === true,
    labels: parsePairs("label", options.label),
    annotations: parseAnnotations(options.annotation),
    network: options.network as BuildRequest["network"],
    extraHosts: parseExtraHosts(options.addHost),
    shmSizeBytes: options.shmSize === undefined ? null : parseSize("shm-size", options.shmSize),
    ulimits: parseUlimits(options.ulimit),
    limits: parseLimits(options),
    secrets: parseSecrets(options.secret, process.env),
    ssh: parseSsh(options.ssh, process.env),
    namedContexts: parseNamedContexts(options.buildContext),
    outputs: outputsOf(options),
    entitlements: options.allow.map(parseEntitlement),
    squash: options.squash === undefined ? null : parseSquash(options.squash),
    jobs: options.jobs === undefined ? defaultJobs() : parseJobs(options.jobs),
  };
}

/** Without `-o` the image goes to the store. `--push` is `push=true` for images that are stored, or an output of its own. */
function outputsOf(options: BuildOptions): readonly OutputSpec[] {
  const given = options.output.length === 0 ? [parseOutputFlag("type=image")] : options.output.map(parseOutputFlag);
  if (options.push !== true) return given;
  const pushed = given.map((output) => (output.kind === "image" ? { ...output, push: true } : output));
  return pushed.some(({ kind }) => kind === "image") ? pushed : [...pushed, parseOutputFlag("type=registry")];
}

export function parsePlatformFlag(text: string): Platform {
  try {
    return parsePlatform(text);
  } catch (error) {
    if (!isBuildError(error)) throw error;
    throw new BuildError("USAGE_INVALID", `--platform: ${error.message}`, { hint: error.hint, cause: error });
  }
}

function parseEntitlement(text: string): Entitlement {
  if (text === "network.host" || text === "security.insecure") return text;
  throw new BuildError("USAGE_INVALID", `--allow ${JSON.stringify(text)}: no such entitlement`, {
    hint: "entitlements: network.host, security.insecure",
  });
}

/** Steps wait for networks and disks more than they compute; what computes here is bounded by the worker threads. */
const defaultJobs = (): number => Math.max(16, availableParallelism());

function parseJobs(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new BuildError("USAGE_INVALID", `--jobs ${JSON.stringify(text)}: want a number from 1 to 9999`);
}
