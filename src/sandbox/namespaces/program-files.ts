import { existsSync } from "node:fs";
import { join } from "node:path";
import { BuildError } from "../../base/errors.ts";
import { packageRoot } from "../../base/package-root.ts";

/** The bundled program that a sandbox starts with, found from this file wherever it was bundled to. */
export function findInitProgram(): string {
  const program = join(packageRoot(), "dist", "sandbox-init.cjs");
  if (!existsSync(program)) {
    throw new BuildError("RUNTIME_UNAVAILABLE", `${program} does not exist`, {
      hint: "reinstall tsbuild, or run npm run build in its source directory",
    });
  }
  return program;
}
