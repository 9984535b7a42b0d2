// Bundles src/ into dist/: the command line, the worker thread, and what becomes a step. What makes a start fast is told
// in docs/performance.md.
import { rmSync } from "node:fs";
import { build } from "esbuild";

/** commander can start programs as subcommands; ours are functions, so nothing needs the modules for that. */
const withoutProcesses = {
  name: "commander-without-processes",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes("/node_modules/commander/") ? { path: "child_process", namespace: "nothing" } : undefined,
    );
    onLoad({ filter: /./, namespace: "nothing" }, () => ({ contents: "module.exports = {};" }));
  },
};

rmSync("dist", { recursive: true, force: true });
await Promise.all(
  Object.entries({
    cli: "src/cli/main.ts",
    "task-worker": "src/workers/task-worker.ts",
    "sandbox-init": "src/sandbox/namespaces/sandbox-init.ts",
  }).map(([name, entry]) =>
    build({
      entryPoints: [entry],
      outfile: `dist/${name}.cjs`,
      bundle: true,
      platform: "node",
      target: "node20",
      format: "cjs",
      // koffi has native parts, piscina finds its worker by its own place, dockerfile-ast only serves errors.
      external: ["koffi", "piscina", "dockerfile-ast"],
      plugins: [withoutProcesses],
      minifyWhitespace: true,
      minifySyntax: true,
      // Packages that stay packages are loaded by require: it does without node's loader of modules.
      supported: { "dynamic-import": false },
      define: { "import.meta.url": "moduleUrl" },
      banner: { js: 'const moduleUrl = require("node:url").pathToFileURL(__filename).href;' },
      sourcemap: "linked",
      logLevel: "warning",
    }),
  ),
);
