// Compares tsbuild with the builders that are there, and shows how its cost grows:
//   npm run bench -- [--rounds N] [--case NAME,...] [--peers NAME,... | --peers none] [--growth] [--work DIR] [--out FILE]
// Peers: buildctl with a daemon at BUILDKIT_HOST, docker with one at DOCKER_HOST, buildah. Their caches are emptied!
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { findBuilders } from "./builders.js";
import { cases, growth } from "./cases.js";
import { measure, median, outputOf } from "./measure.js";
import { renderComparison, renderGrowth, renderMachine } from "./report.js";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    case: { type: "string" },
    peers: { type: "string" },
    growth: { type: "boolean", default: false },
    work: { type: "string", default: join(tmpdir(), "tsbuild-bench") },
    out: { type: "string" },
  },
});
const rounds = Number(options.rounds);
const { work } = options;
mkdirSync(work, { recursive: true });
const archive = join(work, "image.tar");

// Node reads all of these certificates at its start, which tells nothing about a build.
delete process.env.NODE_EXTRA_CA_CERTS;

const log = (text) => process.stderr.write(`${text}\n`);

/** Long enough that a file written before counts as settled for builders that go by its times. */
const settleMs = 300;

/** One build; null when the builder cannot do it. */
async function build(builder, request) {
  rmSync(archive, { force: true });
  const command = builder.command(request);
  return command === null ? null : measure(command.args, command.env);
}

async function runCase(benchCase, builders) {
  const context = benchCase.context(work);
  const request = {
    context,
    isCold: benchCase.preparation === "cold",
    usesBase: benchCase.usesBase === true,
    archive: benchCase.toArchive ? archive : null,
  };
  const able = builders.filter((builder) => builder.command(request) !== null);
  const runs = Object.fromEntries(able.map(({ name }) => [name, []]));
  // Round 0 warms up: it fills the page cache, and what rebuilds go by.
  for (let round = 0; round <= rounds; round += 1) {
    if (benchCase.preparation === "changed") benchCase.change(context, round);
    if (benchCase.preparation !== "cold" || round === 0) await sleep(settleMs);
    for (const builder of able) {
      if (benchCase.preparation === "cold" || round === 0) builder.forget();
      const run = await build(builder, request);
      if (round > 0) runs[builder.name].push(run);
      log(
        `${benchCase.name} ${round} ${builder.name}: ${run.wallSeconds.toFixed(3)} s, CPU ${run.cpuSeconds?.toFixed(2)} s`,
      );
    }
  }
  for (const builder of able) builder.forget();
  return { benchCase, runs };
}

async function runGrowth(curve, builder) {
  const points = [];
  for (const count of curve.counts) {
    const point = { count, cold: [], unchanged: [] };
    const request = { context: curve.context(work, count), isCold: false, usesBase: curve.usesBase, archive: null };
    await sleep(settleMs);
    for (let round = 0; round < Math.min(rounds, 3); round += 1) {
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

async function nodeStart() {
  const runs = [];
  for (let round = 0; round < 11; round += 1) runs.push(await measure([process.execPath, "-e", "0"]));
  return median(runs.map(({ wallSeconds }) => wallSeconds));
}

const names = options.peers?.toLowerCase().split(",") ?? null;
const wanted = options.case?.split(",") ?? null;
const isWanted = ({ name }) => wanted === null || wanted.includes(name);
const builders = findBuilders(work, names);

const parts = [
  "# Results\n",
  `Made by \`npm run bench\`, ${rounds} rounds after a warm-up, all builders in turn (docs/performance.md).\n`,
  `${renderMachine(builders, work, outputOf, await nodeStart())}\n`,
];
const results = [];
for (const benchCase of cases.filter(isWanted)) results.push(await runCase(benchCase, builders));
if (results.length > 0) parts.push(renderComparison(results, builders));
if (options.growth) {
  parts.push("## Growth\n");
  for (const curve of growth.filter(isWanted)) parts.push(renderGrowth(curve, await runGrowth(curve, builders[0])));
}
const text = parts.join("\n");
process.stdout.write(text);
if (options.out !== undefined) writeFileSync(options.out, text);
