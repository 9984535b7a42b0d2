// What a sandbox adds to the process in it, as root: the same command started by chroot and as a step, in turn.
//   npm run build && node bench/step-start.js
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const rounds = 100;
const command = ["/bin/sh", "-c", "exit 0"];

async function loadRuntime() {
  // in the package, as deep as the sources: code looks for other files of the package from where it lies
  const outfile = resolve("dist", "bench", `step-start-${process.pid}.mjs`);
  const contents =
    'export { NamespaceRuntime } from "./src/sandbox/namespaces/namespace-runtime.ts"; export { unpackBaseRootfs } from "./test/support/base-rootfs.ts";';
  const stdin = { contents, resolveDir: ".", loader: "ts" };
  try {
    await build({ stdin, outfile, bundle: true, format: "esm", platform: "node", packages: "external" });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(dirname(outfile), { recursive: true, force: true });
  }
}

const specOf = (lower, upper, work) => ({
  args: command,
  env: ["PATH=/bin"],
  cwd: "/",
  user: "",
  lowers: [lower],
  upper,
  work,
  mounts: [],
  network: "host",
  security: "sandbox",
  hostname: "bench",
  extraHosts: [],
  shmSizeBytes: 1 << 20,
  ulimits: [],
});

const milliseconds = (times) => {
  const sorted = [...times].sort((a, b) => a - b);
  return { least: sorted[0], median: sorted[sorted.length >> 1] };
};
const print = (name, { least, median }) =>
  console.log(`${name}: ${median.toFixed(1)} ms (at least ${least.toFixed(1)} ms)`);

const { NamespaceRuntime, unpackBaseRootfs } = await loadRuntime();
const directory = mkdtempSync(join(tmpdir(), "tsbuild-step-start-"));
try {
  const base = await unpackBaseRootfs(directory);
  const runtime = new NamespaceRuntime();
  const bare = [];
  const steps = [];
  for (let round = -5; round < rounds; round += 1) {
    const place = mkdtempSync(join(directory, "step-"));
    const [upper, work] = [join(place, "upper"), join(place, "work")];
    mkdirSync(upper);
    mkdirSync(work);
    const startMs = performance.now();
    spawnSync("chroot", [base, ...command]);
    const betweenMs = performance.now();
    await runtime.run(specOf(base, upper, work), { output: () => {} }, new AbortController().signal);
    const endMs = performance.now();
    rmSync(place, { recursive: true });
    // the first ones wait for what serves all steps
    if (round < 0) continue;
    bare.push(betweenMs - startMs);
    steps.push(endMs - betweenMs);
  }
  print("the process alone", milliseconds(bare));
  print("the process as a step", milliseconds(steps));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
