import { hostPlatform } from "../image/platform.ts";
import { parsePlatformFlag } from "./build-command.ts";
import type { PushOptions } from "./command-line.ts";
import { printReceipts } from "./push-command.ts";

/** `tsbuild pull`: progress on stderr, then a line `reference@digest` on stdout. */
export async function runPull(reference: string, options: PushOptions): Promise<void> {
  const given = options.platform.map(parsePlatformFlag);
  const platforms = given.length === 0 ? [hostPlatform()] : given;
  await printReceipts(options, async (engine, sink, signal) => [await engine.pull(reference, platforms, sink, signal)]);
}
