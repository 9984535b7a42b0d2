import type { ProgressSink } from "../base/build-event.ts";
import { BuildError } from "../base/errors.ts";
import type { RegistryReceipt } from "../engine/build-request.ts";
import { type Engine, openEngine } from "../engine/engine.ts";
import type { Platform } from "../image/platform.ts";
import { parseBlobFormat } from "../output/parse-output-flag.ts";
import { chooseRenderer, parsePlatformFlag } from "./build-command.ts";
import type { PushOptions } from "./registry-commands.ts";
import { registryEnvironment } from "./registry-environment.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild push`: progress on stderr, then a line `reference@digest` for each name on stdout. */
export async function runPush(references: readonly string[], options: PushOptions): Promise<void> {
  const refuse = (problem: string, hint?: string): BuildError =>
    new BuildError("USAGE_INVALID", `--${problem}`, { hint });
  const { compression = null, compressionLevel = null } = options;
  const wanted = {
    platforms: parsePlatforms(options.platform),
    allTags: options.allTags === true,
    compression: {
      format: parseBlobFormat(compression, compressionLevel, "gzip", refuse),
      force: options.forceCompression === true,
    },
  };
  await printReceipts(options, (engine, sink, signal) => engine.push(references, wanted, sink, signal));
}

/** Platforms that are separated by commas or given one after the other. */
export const parsePlatforms = (values: readonly string[]): readonly Platform[] =>
  values.flatMap((value) => value.split(",")).map(parsePlatformFlag);

/** Runs `work` with progress and prints what is in a registry by it. */
export async function printReceipts(
  options: Pick<PushOptions, "certDir" | "progress" | "quiet" | "root">,
  work: (engine: Engine, sink: ProgressSink, signal: AbortSignal) => Promise<readonly RegistryReceipt[]>,
): Promise<void> {
  const renderer = chooseRenderer(options, (text) => void process.stderr.write(text));
  try {
    const receipts = await withInterrupt(async (signal) => {
      const engine = await openEngine({ root: storeRoot(options.root), environment: registryEnvironment(options) });
      try {
        return await work(engine, renderer, signal);
      } finally {
        await engine.close();
      }
    });
    renderer.close();
    for (const { reference, digest } of receipts) process.stdout.write(`${reference}@${digest}\n`);
  } catch (error) {
    renderer.close();
    throw error;
  }
}
