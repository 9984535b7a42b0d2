import type { ProgressSink } from "../base/build-event.ts";
import type { RegistryReceipt } from "../engine/build-request.ts";
import { type Engine, openEngine } from "../engine/engine.ts";
import { chooseRenderer, parsePlatformFlag } from "./build-command.ts";
import type { PushOptions } from "./command-line.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild push`: progress on stderr, then a line `reference@digest` for each name on stdout. */
export async function runPush(references: readonly string[], options: PushOptions): Promise<void> {
  const platforms = options.platform.map(parsePlatformFlag);
  await printReceipts(options, (engine, sink, signal) => engine.push(references, platforms, sink, signal));
}

/** Runs `work` with progress and prints what is in a registry by it. */
export async function printReceipts(
  options: PushOptions,
  work: (engine: Engine, sink: ProgressSink, signal: AbortSignal) => Promise<readonly RegistryReceipt[]>,
): Promise<void> {
  const renderer = chooseRenderer(options, (text) => void process.stderr.write(text));
  try {
    const receipts = await withInterrupt(async (signal) => {
      const engine = await openEngine({ root: storeRoot(options.root), environment: process.env });
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
