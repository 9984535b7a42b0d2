// Bundles src/ into dist/: the command line, the worker thread, and what becomes a step. Packages stay packages.
import { rmSync } from "node:fs";
import { build } from "esbuild";

rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: {
    cli: "src/cli/main.ts",
    "task-worker": "src/workers/task-worker.ts",
    "sandbox-init": "src/sandbox/namespaces/sandbox-init.ts",
  },
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  sourcemap: "linked",
  logLevel: "warning",
});
