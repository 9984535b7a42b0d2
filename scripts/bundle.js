// Bundles src/ into dist/: the command line, the worker threads, and what becomes a step. What makes a start fast is told
// in docs/performance.md.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
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

/** Defines `builtin`, which stands for a module of Node and loads it when something of it is first used. */
const lazyBuiltins =
  "const builtin = (name) => { let loaded; return new Proxy({}, { get: (_, key) => (loaded ??= require(name))[key] }); };";

/**
 * Node's own modules take up to 3 ms each to load, and a build in which nothing changed needs few of them. `builtin` is as
 * long as `require`, so the source map stays right.
 */
function loadBuiltinsLate(file) {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replaceAll(/(?<=\bimport_\w+ ?= ?)require(?=\("node:)/g, "builtin"));
}

rmSync("dist", { recursive: true, force: true });
await Promise.all(
  Object.entries({
    cli: "src/cli/main.ts",
    "task-worker": "src/workers/task-worker.ts",
    "tar-sink-thread": "src/layer/tar-sink-thread.ts",
    "sandbox-init": "src/sandbox/namespaces/sandbox-init.ts",
  }).map(async ([name, entry]) => {
    const outfile = `dist/${name}.cjs`;
    await build({
      entryPoints: [entry],
      outfile,
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
      banner: { js: `const moduleUrl = require("node:url").pathToFileURL(__filename).href; ${lazyBuiltins}` },
      sourcemap: "linked",
      logLevel: "warning",
    });
    loadBuiltinsLate(outfile);
  }),
);
