import { BuildError } from "../base/errors.ts";

/** An archive is nothing to look at or to type: throws USAGE_INVALID when "-" leads to a terminal. */
export function refuseTerminal(stream: NodeJS.WriteStream | NodeJS.ReadStream, place: string): void {
  if (place !== "-" || !stream.isTTY) return;
  const [name, hint] =
    stream === process.stdin
      ? ["input", "name a file, or pipe an archive into it"]
      : ["output", "name a file with -o, or pipe the output"];
  throw new BuildError("USAGE_INVALID", `standard ${name} is a terminal`, { hint });
}
