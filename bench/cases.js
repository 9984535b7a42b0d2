// What is built in the benchmarks. `preparation` says what happens before each measured build: "cold" is a builder that
// has forgotten everything, "unchanged" one that has built the same before, "changed" the same with one file written to.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDockerfile, makeLargeFile, makeTree } from "./inputs.js";

const lines = (count, line) => Array.from({ length: count }, (_, index) => line(index)).join("");

const runSteps = (count) => `FROM base\n${lines(count, (step) => `RUN echo ${step} > /file-${step}\n`)}`;

const sleepingStages = (count) =>
  `${lines(count, (stage) => `FROM base AS stage-${stage}\nRUN sleep 1 && echo ${stage} > /result-${stage}\n`)}FROM base\n${lines(
    count,
    (stage) => `COPY --from=stage-${stage} /result-${stage} /\n`,
  )}`;

const copiedStages = (count) =>
  `${lines(count, (stage) => `FROM scratch AS stage-${stage}\nCOPY Dockerfile /result-${stage}\n`)}FROM scratch\n${lines(
    count,
    (stage) => `COPY --from=stage-${stage} /result-${stage} /\n`,
  )}`;

/** Many files, with a Dockerfile next to them that copies all. */
function treeContext(work, files) {
  const context = makeTree(join(work, `tree-${files}`), files);
  return makeDockerfile(context, "FROM scratch\nCOPY . /app/\n");
}

const changedFile = (round) => ["package-7/module-140.js", `// changed for round ${round}\n`];

/** Cases compared with other builders, with what tsbuild is to reach. */
export const cases = [
  {
    name: "run-30-cold",
    title: "30 RUN steps on busybox, cold",
    target: "0.4x the best",
    preparation: "cold",
    usesBase: true,
    context: (work) => makeDockerfile(join(work, "run-30"), runSteps(30)),
  },
  {
    name: "run-30-unchanged",
    title: "30 RUN steps, nothing changed",
    target: "1x docker, 2x `node -e 0`",
    preparation: "unchanged",
    usesBase: true,
    context: (work) => makeDockerfile(join(work, "run-30"), runSteps(30)),
  },
  {
    name: "copy-cold",
    title: "COPY of 22,000 files (136 MB), cold",
    target: "0.2x the best",
    preparation: "cold",
    context: (work) => treeContext(work, 22_000),
  },
  {
    name: "copy-unchanged",
    title: "COPY of 22,000 files, nothing changed",
    target: "0.5x the best",
    preparation: "unchanged",
    context: (work) => treeContext(work, 22_000),
  },
  {
    name: "copy-changed",
    title: "COPY of 22,000 files, one small file changed",
    target: "0.2x the best",
    preparation: "changed",
    context: (work) => treeContext(work, 22_000),
    change: (context, round) => {
      const [file, text] = changedFile(round);
      writeFileSync(join(context, file), text);
    },
  },
  {
    name: "large-cold",
    title: "COPY of one random file of 1 GB, cold",
    target: "0.5x the best",
    preparation: "cold",
    context: (work) => makeDockerfile(makeLargeFile(join(work, "large"), 1 << 30), "FROM scratch\nCOPY large.bin /\n"),
  },
  {
    name: "stages-8",
    title: "8 stages of `sleep 1` side by side, joined",
    target: "0.9x the best",
    preparation: "cold",
    usesBase: true,
    context: (work) => makeDockerfile(join(work, "stages-8"), sleepingStages(8)),
  },
  {
    name: "archive-cold",
    title: "22,000 files, cold, to an OCI archive (gzip)",
    target: "0.3x the best",
    preparation: "cold",
    toArchive: true,
    context: (work) => treeContext(work, 22_000),
  },
];

/** How the cost grows with the number of things; tsbuild alone. */
export const growth = [
  {
    name: "files",
    title: "COPY of N files",
    item: "file",
    counts: [1_000, 5_000, 20_000, 50_000, 200_000],
    usesBase: false,
    context: treeContext,
  },
  {
    name: "layers",
    title: "N RUN steps, one on the other",
    item: "layer",
    counts: [1, 10, 50, 100, 200],
    usesBase: true,
    context: (work, count) => makeDockerfile(join(work, `run-${count}`), runSteps(count)),
  },
  {
    name: "stages",
    title: "N stages with a COPY each, joined",
    item: "stage",
    counts: [1, 10, 50, 100, 500],
    usesBase: false,
    context: (work, count) => makeDockerfile(join(work, `copied-${count}`), copiedStages(count)),
  },
];
