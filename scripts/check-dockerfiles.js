// Parses and checks Dockerfiles of others, without network and without building anything:
//   node scripts/check-dockerfiles.js DIRECTORY
// Takes every file below the directory for a Dockerfile. Prints each one that a build would refuse, and the counts.
// Base images are taken for granted, with nothing but a PATH in their environment.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const modules = {
  parseDockerfile: "dockerfile/parse-dockerfile.ts",
  lintBuild: "plan/lint-build.ts",
  parseReference: "image/reference.ts",
  digestOf: "base/digest.ts",
};

async function loadPlanner() {
  const directory = await mkdtemp(join(tmpdir(), "tsbuild-planner-"));
  try {
    const outfile = join(directory, "planner.mjs");
    const contents = Object.entries(modules)
      .map(([name, file]) => `export { ${name} } from "./${file}";`)
      .join("\n");
    const stdin = { contents, resolveDir: "src", loader: "ts" };
    await build({ stdin, outfile, bundle: true, format: "esm", platform: "node", target: "node20" });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const { parseDockerfile, lintBuild, parseReference, digestOf } = await loadPlanner();

const platform = { os: "linux", architecture: "amd64", variant: "", osVersion: "" };
const sources = {
  isIgnored: null,
  async resolveImage(reference) {
    parseReference(reference);
    return {
      reference,
      manifest: digestOf(reference),
      hasLayers: true,
      config: {
        platform,
        author: "",
        created: null,
        config: { Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] },
        history: [{ created: null, createdBy: "base", author: "", comment: "", emptyLayer: false }],
        diffIds: [digestOf(reference)],
      },
    };
  },
  async namedContext(name) {
    return { kind: "tree", context: name };
  },
  async sourceEpoch() {
    return null;
  },
};

function inputFor(dockerfile) {
  return {
    dockerfile,
    buildArgs: new Map(),
    target: null,
    targetPlatforms: [platform],
    buildPlatform: platform,
    multiPlatform: false,
    labels: new Map(),
    noCache: false,
    network: "default",
    hostname: "",
    extraHosts: [],
    shmSizeBytes: null,
    ulimits: [],
    contextNames: [],
    entitlements: ["network.host", "security.insecure"],
  };
}

/** What checks find in a Dockerfile, or the error that parsing stops at. */
async function check(file) {
  try {
    const dockerfile = parseDockerfile(readFileSync(file), file);
    return await lintBuild(inputFor(dockerfile), sources, new AbortController().signal);
  } catch (error) {
    if (error.name !== "BuildError") throw error;
    return { warnings: [], error };
  }
}

const [, , directory] = process.argv;
if (directory === undefined) throw new Error("usage: node scripts/check-dockerfiles.js DIRECTORY");
const files = readdirSync(directory, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .sort();
const counts = { refused: 0, withWarnings: 0 };
const rules = new Map();
const startMs = performance.now();
for (const file of files) {
  const { warnings, error } = await check(file);
  if (warnings.length > 0) counts.withWarnings += 1;
  for (const { rule } of warnings) rules.set(rule, (rules.get(rule) ?? 0) + 1);
  if (error === null) continue;
  counts.refused += 1;
  const line = error.location === undefined ? "" : `:${error.location.startLine}`;
  console.log(`${relative(directory, file)}${line}: ${error.code} ${error.message}`);
}
const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
console.log(`${files.length} Dockerfiles in ${seconds} s: ${counts.refused} refused`);
console.log(`${counts.withWarnings} with warnings`);
for (const [rule, count] of [...rules].sort((a, b) => b[1] - a[1])) console.log(`  ${rule}: ${count}`);
