// Runs the groups of `cases.js` round by round, all builders in turn, so that a run that is ended early has whole rounds.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { measure } from "./measure.js";

/** Long enough that a file written before counts as settled for builders that go by its times. */
const settleMs = 300;
/** Rounds that are made however long they take. */
const fewestRounds = 3;

/** Brings a context into the page cache: otherwise the builder that comes first would wait for the disk for all others. */
function readAll(context) {
  spawnSync("find", [context, "-type", "f", "-exec", "cat", "{}", "+"], { stdio: "ignore" });
}

/** One build; null when the builder cannot do it. */
export async function build(builder, request) {
  if (request.archive !== null) rmSync(request.archive.path, { force: true });
  const command = builder.command(request);
  return command === null ? null : measure(command.args, command.env);
}

function requestOf(group, step, context, work) {
  return {
    context,
    file: group.file ?? "Dockerfile",
    isCold: step.isCold === true,
    usesBase: group.usesBase === true,
    pulls: group.needsRegistry === true,
    squash: step.squash === true,
    archive: step.archive === undefined ? null : { type: step.archive, path: join(work, "image.tar") },
  };
}

/**
 * Measures `groups`: `options.rounds` rounds, fewer if another one would take longer than `options.minutes` in all, after one
 * that warms up the page cache. `afterRound` gets what there is: per step its definition, and runs by builder. A builder
 * that fails takes no further part in the group; `failures` says why.
 */
export async function runRounds(groups, builders, options, log, afterRound) {
  const { work, base, rounds, minutes } = options;
  const begin = Date.now();
  const results = groups.flatMap(({ steps }) => steps.map((step) => ({ step, runs: {} })));
  const runsOf = (step, { name }) => {
    const { runs } = results.find((one) => one.step === step);
    runs[name] ??= [];
    return runs[name];
  };
  const failures = new Map();
  const contexts = groups.map((group) => group.context(work, base));
  let longestMs = 0;
  for (let round = 0; round <= rounds; round += 1) {
    const roundBegin = Date.now();
    const isOutOfTime = minutes !== null && roundBegin + longestMs - begin > minutes * 60_000;
    if (round > fewestRounds && isOutOfTime) break;
    for (const [at, group] of groups.entries()) await runGroup(group, contexts[at], round);
    longestMs = Math.max(longestMs, Date.now() - roundBegin);
    if (round > 0) afterRound(results, failures, round);
  }

  async function runGroup(group, context, round) {
    group.reset?.(context);
    for (const step of group.steps) {
      step.change?.(context, round);
      const request = requestOf(group, step, context, work);
      if (!request.isCold || round === 0) await sleep(settleMs);
      for (const builder of builders) {
        const name = `${group.steps[0].name} ${builder.name}`;
        if (failures.has(name) || builder.command(request) === null) continue;
        try {
          if (request.isCold) builder.forget();
          readAll(context);
          const run = await build(builder, request);
          if (round > 0) runsOf(step, builder).push(run);
          const { wallSeconds, cpuSeconds } = run;
          log(`${round} ${step.name} ${builder.name}: ${wallSeconds.toFixed(3)} s, CPU ${cpuSeconds?.toFixed(2)} s`);
        } catch (error) {
          failures.set(name, `${step.name}, ${builder.name}: ${error.message}`);
          log(failures.get(name));
        }
      }
    }
    group.reset?.(context);
    for (const builder of builders) builder.forget();
  }
}
