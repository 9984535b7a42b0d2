// Compares tsbuild with the builders that are there, and shows how its cost grows:
//   npm run bench -- [--rounds N] [--minutes N] [--case NAME,...] [--peers NAME,... | --peers none] [--base REFERENCE]
//                    [--node PATH|VERSION]... [--growth] [--large] [--work DIR] [--out FILE]
// Peers: buildctl with a daemon at BUILDKIT_HOST, docker with one at DOCKER_HOST, buildah. Their caches are emptied!
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { findBuilders } from "./builders.js";
import { groups, growth } from "./cases.js";
import { findNode } from "./find-node.js";
import { measure, median, outputOf } from "./measure.js";
import { renderComparison, renderFailures, renderGrowth, renderMachine, renderStepCost } from "./report.js";
import { build, runRounds } from "./rounds.js";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    minutes: { type: "string" },
    case: { type: "string" },
    peers: { type: "string" },
    base: { type: "string", default: process.env.TSBUILD_BENCH_BASE },
    node: { type: "string", multiple: true, default: [] },
    growth: { type: "boolean", default: false },
    large: { type: "boolean", default: false },
    work: { type: "string", default: join(tmpdir(), "tsbuild-bench") },
    out: { type: "string" },
  },
});
const { work } = options;
mkdirSync(work, { recursive: true });

const nodes = options.node.map((node) => findNode(node, work));
// Node reads all of these certificates at its start, which tells nothing about a build.
delete process.env.NODE_EXTRA_CA_CERTS;

const log = (text) => process.stderr.write(`${text}\n`);

/** Median wall time of a command in seconds. */
async function timeOf(args) {
  const runs = [];
  for (let round = 0; round < 11; round += 1) runs.push(await measure(args));
  return median(runs.map(({ wallSeconds }) => wallSeconds));
}

async function runGrowth(curve, builder) {
  const points = [];
  for (const count of [...curve.counts, ...(options.large ? (curve.largeCounts ?? []) : [])]) {
    const point = { count, cold: [], unchanged: [] };
    const context = curve.context(work, count);
    const request = { context, file: "Dockerfile", isCold: false, usesBase: curve.usesBase, archive: null };
    await sleep(300);
    for (let round = 0; round < Math.min(Number(options.rounds), 3); round += 1) {
      builder.forget();
      point.cold.push(await build(builder, request));
      point.unchanged.push(await build(builder, request));
    }
    log(`${curve.name} ${count}: ${point.cold.map(({ wallSeconds }) => wallSeconds.toFixed(3)).join(" ")}`);
    points.push(point);
  }
  builder.forget();
  return points;
}

const wanted = options.case?.split(",") ?? null;
const isWanted = ({ name }) => wanted === null || wanted.includes(name);
const chosen = groups.filter(
  ({ steps, needsRegistry }) => steps.some(isWanted) && (needsRegistry !== true || options.base !== undefined),
);
const builders = findBuilders(work, nodes, options.peers?.toLowerCase().split(",") ?? null);
const machine = renderMachine(builders, work, outputOf, await timeOf([process.execPath, "-e", "0"]));
const processSeconds = await timeOf(["/bin/sh", "-c", "true"]);

let comparison = "";
const written = [];
function write() {
  const text = ["# Results\n", `${machine}\n`, comparison, ...written].join("\n");
  if (options.out !== undefined) writeFileSync(options.out, text);
  return text;
}

const rounds = { work, base: options.base, rounds: Number(options.rounds), minutes: options.minutes ?? null };
await runRounds(chosen, builders, rounds, log, (results, failures, round) => {
  comparison = [
    `Made by \`npm run bench\`, ${round} rounds after a warm-up, all builders in turn (docs/performance.md).\n`,
    renderComparison(
      results.filter(({ step }) => isWanted(step)),
      builders,
    ),
    renderStepCost(results, builders, processSeconds),
    renderFailures(failures),
  ].join("\n");
  write();
});
if (options.growth) {
  written.push("## Growth\n");
  for (const curve of growth.filter(isWanted)) {
    written.push(renderGrowth(curve, await runGrowth(curve, builders[0])));
    write();
  }
}
process.stdout.write(write());
