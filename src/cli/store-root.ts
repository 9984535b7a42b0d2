import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** The store's directory: `--root`, TSBUILD_ROOT, /var/lib/tsbuild as root, the XDG data directory otherwise. */
export function storeRoot(
  flag: string | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const given = flag ?? environment.TSBUILD_ROOT;
  if (given !== undefined && given !== "") return resolve(given);
  if (process.getuid?.() === 0) return "/var/lib/tsbuild";
  const data = environment.XDG_DATA_HOME;
  return join(data === undefined || data === "" ? join(homedir(), ".local/share") : data, "tsbuild");
}
