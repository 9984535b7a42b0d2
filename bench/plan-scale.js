// How long large Dockerfiles take to parse and plan, without network and without building:
//   node bench/plan-scale.js
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const lines = (count, line) => Array.from({ length: count }, (_, at) => line(at)).join("");

/** Dockerfiles by what they are, with the most milliseconds they may take. */
const cases = [
  [
    "1,000 stages in a chain",
    1000,
    `FROM scratch AS s0\nCOPY a /0\n${lines(999, (at) => `FROM s${at} AS s${at + 1}\nCOPY a /${at}\n`)}`,
  ],
  [
    "1,000 stages, all copied from",
    1000,
    `${lines(1000, (at) => `FROM scratch AS s${at}\nCOPY a /${at}\n`)}FROM scratch\n${lines(1000, (at) => `COPY --from=s${at} /${at} /\n`)}`,
  ],
  ["5,000 COPY in one stage", 2000, `FROM scratch\n${lines(5000, (at) => `COPY a /${at}\n`)}`],
  ["5,000 RUN in one stage", 2000, `FROM scratch\n${lines(5000, (at) => `RUN echo ${at}\n`)}`],
  [
    "5,000 instructions with variables",
    2000,
    `FROM scratch\n${lines(1000, (at) => `ARG A${at}=${at}\nENV E${at}=$A${at}\nLABEL l${at}=$E${at}\nWORKDIR /w$A${at}\nCOPY a b$A${at}\n`)}`,
  ],
];

async function loadPlanner() {
  const directory = await mkdtemp(join(tmpdir(), "tsbuild-planner-"));
  try {
    const outfile = join(directory, "planner.mjs");
    const contents =
      'export { parseDockerfile } from "./dockerfile/parse-dockerfile.ts"; export { planBuild } from "./plan/plan-build.ts";';
    const stdin = { contents, resolveDir: "src", loader: "ts" };
    await build({ stdin, outfile, bundle: true, format: "esm", platform: "node", target: "node20" });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const platform = { os: "linux", architecture: "amd64", variant: "", osVersion: "" };
const request = {
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
  entitlements: [],
};

const { parseDockerfile, planBuild } = await loadPlanner();
let isTooSlow = false;
for (const [name, limitMs, text] of cases) {
  const times = [];
  for (let round = 0; round < 3; round += 1) {
    const startMs = performance.now();
    const dockerfile = parseDockerfile(Buffer.from(text), "Dockerfile");
    await planBuild({ ...request, dockerfile }, { isIgnored: null }, new AbortController().signal);
    times.push(performance.now() - startMs);
  }
  const [first] = times;
  const best = Math.min(...times);
  isTooSlow ||= first > limitMs;
  console.log(`${name}: ${first.toFixed(0)} ms, then ${best.toFixed(0)} ms (at most ${limitMs} ms)`);
}
process.exitCode = isTooSlow ? 1 : 0;
