// Renders results as Markdown tables.
import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, release, totalmem, type } from "node:os";
import { median } from "./measure.js";

const seconds = (value) => (value < 1 ? value.toFixed(3) : value.toFixed(2));
const megabytes = (bytes) => (bytes === null ? "" : (bytes / 1e6).toFixed(0));
const row = (cells) => `| ${cells.join(" | ")} |\n`;
const table = (head, rows) => row(head) + row(head.map(() => "---")) + rows.map(row).join("");

const wallOf = (runs) => runs.map(({ wallSeconds }) => wallSeconds);

function cell(runs) {
  if (runs === undefined) return "";
  const walls = wallOf(runs);
  return `${seconds(median(walls))} (${seconds(Math.min(...walls))} to ${seconds(Math.max(...walls))})`;
}

/** `results`: per step its definition and runs by builder. */
export function renderComparison(results, builders) {
  const peers = builders.filter(({ isPeer }) => isPeer);
  const head = ["case", ...builders.map(({ name }) => `${name}, s`), "tsbuild / best", "target"];
  const wall = table(
    head,
    results.map(({ step, runs }) => {
      const best = Math.min(...peers.flatMap(({ name }) => (runs[name] ? [median(wallOf(runs[name]))] : [])));
      const ratio =
        Number.isFinite(best) && runs.tsbuild !== undefined
          ? `${(median(wallOf(runs.tsbuild)) / best).toFixed(2)}x`
          : "";
      return [step.title, ...builders.map(({ name }) => cell(runs[name])), ratio, step.target];
    }),
  );
  const measured = builders.filter(({ memoryCounts }) => memoryCounts);
  const own = table(
    ["case", ...measured.flatMap(({ name }) => [`${name}: CPU, s`, "peak memory, MB", "written, MB"])],
    results.map(({ step, runs }) => [
      step.title,
      ...measured.flatMap(({ name }) => (runs[name] === undefined ? ["", "", ""] : costs(runs[name]))),
    ]),
  );
  return `Wall time: median (fastest to slowest).\n\n${wall}\nProcessor time, memory of the largest process and bytes written, where no daemon does the work (medians):\n\n${own}`;
}

/** What one RUN step costs over the program that it runs; "" when it was not measured. */
export function renderStepCost(results, builders, processSeconds) {
  const runsOf = (name) => results.find(({ step }) => step.name === name)?.runs ?? {};
  const [cold, unchanged] = [runsOf("run-30-cold"), runsOf("run-30-unchanged")];
  const costs = builders.flatMap(({ name }) => {
    if (cold[name] === undefined || unchanged[name] === undefined) return [];
    const stepSeconds = (median(wallOf(cold[name])) - median(wallOf(unchanged[name]))) / 30;
    return [`${name} ${((stepSeconds - processSeconds) * 1000).toFixed(0)} ms`];
  });
  if (costs.length === 0) return "";
  return `A RUN step over the bare process (\`sh -c true\`, ${(processSeconds * 1000).toFixed(1)} ms), the first one's start included: ${costs.join(", ")}.\n`;
}

/** `failures`: what could not be measured. */
export function renderFailures(failures) {
  if (failures.size === 0) return "";
  const lines = [...failures].map(([name, text]) => {
    const told = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("exit status"));
    return `- ${name}: ${(told.at(-1) ?? "").slice(0, 200)}\n`;
  });
  return `Failed, and left out:\n\n${lines.join("")}`;
}

function costs(runs) {
  const of = (pick) => {
    const values = runs.map(pick).filter((value) => value !== null);
    return values.length === 0 ? null : median(values);
  };
  const cpu = of(({ cpuSeconds }) => cpuSeconds);
  const memory = of(({ memoryKib }) => memoryKib);
  return [
    cpu === null ? "" : cpu.toFixed(2),
    megabytes(memory === null ? null : memory * 1024),
    megabytes(of(({ writtenBytes }) => writtenBytes)),
  ];
}

/** `points`: per count the runs when cold and when nothing changed. */
export function renderGrowth({ title, item }, points) {
  const [first] = points;
  const perItem = (point, kind) => {
    if (point === first) return "";
    const more = median(wallOf(point[kind])) - median(wallOf(first[kind]));
    return `${((more / (point.count - first.count)) * 1e6).toFixed(0)} µs`;
  };
  return `### ${title}\n\n${table(
    ["N", "cold, s", `per further ${item}`, "peak memory, MB", "unchanged, s", `per further ${item}`],
    points.map((point) => [
      point.count.toLocaleString("en"),
      seconds(median(wallOf(point.cold))),
      perItem(point, "cold"),
      costs(point.cold)[1],
      seconds(median(wallOf(point.unchanged))),
      perItem(point, "unchanged"),
    ]),
  )}`;
}

function fileSystemOf(directory, outputOf) {
  return outputOf("stat", ["-f", "-c", "%T", directory]) ?? "unknown";
}

export function renderMachine(builders, work, outputOf, nodeSeconds) {
  const cpu = cpus()[0]?.model ?? "unknown processor";
  let distribution = type();
  try {
    distribution = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? distribution;
  } catch {
    // Not Linux.
  }
  return [
    `- ${availableParallelism()} x ${cpu} (${arch()}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${distribution}, kernel ${release()}, file system ${fileSystemOf(work, outputOf)}`,
    `- Node ${process.versions.node}; \`node -e 0\` takes ${seconds(nodeSeconds)} s`,
    ...builders.map(({ name, version }) => `- ${name}: ${version}`),
  ].join("\n");
}
