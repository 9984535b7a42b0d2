import { toRequest } from "../../src/cli/build-command.ts";
import { type BuildOptions, type CommandHandlers, runCommandLine } from "../../src/cli/command-line.ts";
import type { BuildRequest } from "../../src/engine/build-request.ts";

/** The request that `tsbuild build` makes of these arguments. */
export async function requestOf(args: readonly string[]): Promise<BuildRequest> {
  let request: BuildRequest | null = null;
  const handlers: Pick<CommandHandlers, "build"> = {
    async build(context: string, options: BuildOptions) {
      request = toRequest(context, options);
    },
  };
  await runCommandLine(args, handlers as CommandHandlers, { out: () => {}, err: () => {} });
  if (request === null) throw new Error(`not a build: ${args.join(" ")}`);
  return request;
}
