// Other versions of Node to run tsbuild on.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** The program that `--node` means: a path, or a version that npm's package `node` has, installed below `work`. */
export function findNode(pathOrVersion, work) {
  if (!/^\d+(\.\d+)*$/.test(pathOrVersion)) return pathOrVersion;
  const directory = join(work, `node-${pathOrVersion}`);
  const program = join(directory, "node_modules", "node", "bin", "node");
  if (!existsSync(program)) {
    mkdirSync(directory, { recursive: true });
    const what = ["--prefix", directory, "--no-audit", "--no-fund", `node@${pathOrVersion}`];
    execFileSync("npm", ["install", ...what], { stdio: ["ignore", "ignore", "inherit"] });
  }
  return program;
}
