import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { BuildError } from "./errors.ts";

/** The directory of this package: the one with package.json above this code, be it in src/ or bundled in dist/. */
export function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json"))) {
    const parent = dirname(directory);
    if (parent === directory) throw new BuildError("INTERNAL", "no package.json above the program's own code");
    directory = parent;
  }
  return directory;
}
