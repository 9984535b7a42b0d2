// What is built in the benchmarks. The steps of a group build from one context, one after the other, and each builder does
// a step before the next one comes: "cold" is a builder that has forgotten everything, the other steps find what the step
// before has left, with nothing changed or with what `change` does.
import { cpSync, mkdirSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeDockerfile, makeLargeFile, makeNodeProject, makeTree } from "./inputs.js";

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

const manyFiles = 22_000;
const copiedTree = "FROM scratch AS files\nCOPY . /app/\nFROM scratch\nCOPY --from=files /app /srv/\n";

function changeFile(context, round) {
  writeFileSync(join(context, "package-7", "module-140.js"), `// changed for round ${round}\n`);
}

const added = "added-";
function addFile(context, round) {
  writeFileSync(join(context, "package-7", `${added}${round}.js`), `// added for round ${round}\n`);
}

function removeAdded(context) {
  const folder = join(context, "package-7");
  for (const name of readdirSync(folder)) if (name.startsWith(added)) rmSync(join(folder, name));
}

/** A project whose dependencies are files of its own, on `base` with the node of this machine on top. */
function nodeContext(work, base) {
  const context = join(work, "node-project");
  makeNodeProject(join(context, "app"));
  const node = dirname(dirname(realpathSync(process.execPath)));
  mkdirSync(join(context, "node", "bin"), { recursive: true });
  cpSync(process.execPath, join(context, "node", "bin", "node"));
  cpSync(join(node, "lib", "node_modules", "npm"), join(context, "node", "npm"), { recursive: true });
  return makeDockerfile(
    context,
    `FROM ${base}
COPY node/bin/node /usr/local/bin/
COPY node/npm /usr/local/lib/npm
WORKDIR /app
COPY app/package.json app/package-lock.json ./
COPY app/vendor ./vendor
RUN node /usr/local/lib/npm/bin/npm-cli.js ci --offline --no-audit --no-fund
COPY app/ .
RUN node build.js
`,
  );
}

/** Groups that are compared with other builders; each step has what tsbuild is to reach. */
export const groups = [
  {
    context: (work) => makeDockerfile(join(work, "run-30"), runSteps(30)),
    usesBase: true,
    steps: [
      { name: "run-30-cold", title: "30 RUN steps on busybox, cold", target: "0.4x", isCold: true },
      { name: "run-30-unchanged", title: "30 RUN steps, nothing changed", target: "1x docker, 2x `node -e 0`" },
    ],
  },
  {
    context: (work) => treeContext(work, manyFiles),
    steps: [
      { name: "copy-cold", title: "COPY of 22,000 files (136 MB), cold", target: "0.2x", isCold: true },
      { name: "copy-unchanged", title: "COPY of 22,000 files, nothing changed", target: "0.5x" },
      {
        name: "copy-changed",
        title: "COPY of 22,000 files, one small file changed",
        target: "0.2x",
        change: changeFile,
      },
    ],
  },
  {
    context: (work) => makeDockerfile(treeContext(work, manyFiles), copiedTree, "from.Dockerfile"),
    file: "from.Dockerfile",
    steps: [
      { name: "copy-from", title: "COPY, then COPY --from, of 22,000 files, cold", target: "0.2x", isCold: true },
    ],
  },
  {
    context: (work) => makeDockerfile(makeLargeFile(join(work, "large"), 1 << 30), "FROM scratch\nCOPY large.bin /\n"),
    steps: [{ name: "large-cold", title: "COPY of one random file of 1 GB, cold", target: "0.5x", isCold: true }],
  },
  {
    context: (work) => makeDockerfile(join(work, "stages-8"), sleepingStages(8)),
    usesBase: true,
    steps: [{ name: "stages-8", title: "8 stages of `sleep 1` side by side, joined", target: "0.9x", isCold: true }],
  },
  {
    context: (work) => treeContext(work, manyFiles),
    reset: removeAdded,
    steps: [
      {
        name: "archive-cold",
        title: "22,000 files, cold, to an OCI archive (gzip)",
        target: "0.3x",
        isCold: true,
        archive: "oci",
      },
      {
        name: "archive-added",
        title: "22,000 files to an OCI archive again, one file added",
        target: "",
        archive: "oci",
        change: addFile,
      },
    ],
  },
  {
    context: (work) => treeContext(work, manyFiles),
    steps: [
      {
        name: "docker-archive",
        title: "22,000 files, cold, to a docker archive",
        target: "",
        isCold: true,
        archive: "docker",
      },
    ],
  },
  {
    context: (work) => makeDockerfile(join(work, "run-30"), runSteps(30)),
    usesBase: true,
    steps: [{ name: "squash", title: "30 RUN steps, cold, layers merged", target: "", isCold: true, squash: true }],
  },
  {
    needsRegistry: true,
    context: (work, base) => makeDockerfile(join(work, "pull"), `FROM ${base}\nRUN true\n`),
    steps: [{ name: "pull-run", title: "pull of a base image and a first RUN", target: "", isCold: true }],
  },
  {
    needsRegistry: true,
    context: nodeContext,
    steps: [
      { name: "npm-cold", title: "a Node project: `npm ci`, COPY, build; cold", target: "", isCold: true },
      {
        name: "npm-changed",
        title: "a Node project: one source file changed",
        target: "",
        change: (context, round) =>
          writeFileSync(join(context, "app", "src", "changed.js"), `export const round = ${round};\n`),
      },
    ],
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
    name: "size",
    title: "COPY of one random file of N MB",
    item: "MB",
    counts: [100, 1_000],
    largeCounts: [10_000],
    usesBase: false,
    context: (work, count) =>
      makeDockerfile(
        makeLargeFile(join(work, `large-${count}`), count * 1_000_000),
        "FROM scratch\nCOPY large.bin /\n",
      ),
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
