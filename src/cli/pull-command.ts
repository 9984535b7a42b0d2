import { BuildError } from "../base/errors.ts";
import { hostPlatform } from "../image/platform.ts";
import { parsePlatforms, printReceipts } from "./push-command.ts";
import type { PullOptions } from "./registry-commands.ts";

/** `tsbuild pull`: progress on stderr, then a line `reference@digest` on stdout. */
export async function runPull(reference: string, options: PullOptions): Promise<void> {
  const given = parsePlatforms(options.platform);
  if (options.allPlatforms === true && given.length > 0)
    throw new BuildError("USAGE_INVALID", "--all-platforms and --platform: want one of them");
  const platforms = options.allPlatforms === true ? "all" : given.length === 0 ? [hostPlatform()] : given;
  await printReceipts(options, async (engine, sink, signal) => [await engine.pull(reference, platforms, sink, signal)]);
}
