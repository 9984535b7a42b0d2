import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { BuildError } from "../../base/errors.ts";

/** The bundled program that a sandbox starts with, found from this file wherever it was bundled to. */
export function findInitProgram(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json"))) {
    const parent = dirname(directory);
    if (parent === directory) throw new BuildError("INTERNAL", "no package.json above the code of the sandbox");
    directory = parent;
  }
  const program = join(directory, "dist", "sandbox-init.cjs");
  if (!existsSync(program)) {
    throw new BuildError("RUNTIME_UNAVAILABLE", `${program} does not exist`, {
      hint: "reinstall tsbuild, or run npm run build in its source directory",
    });
  }
  return program;
}
