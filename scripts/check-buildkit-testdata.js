// Runs BuildKit's own test data against the parser and the lexer:
//   node scripts/check-buildkit-testdata.js BUILDKIT/frontend/dockerfile
// The data is not part of this repository; give a checkout of moby/buildkit.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

/** A string as Go's %q prints it, as far as the test data needs it. */
const quote = (text) => JSON.stringify(text).replace(/\\u([0-9a-f]{4})/g, (_, hex) => `\\x${hex.slice(2)}`);

/** A node as BuildKit's Node.Dump prints it. */
function dumpNode(node) {
  const flags = node.flags.length === 0 ? "" : ` [${node.flags.map(quote).join(" ")}]`;
  return `${node.keyword.toLowerCase()}${flags}${dumpArguments(node.args)}`.trim();
}

function dumpArguments(args) {
  if (args.form === "trigger") return args.trigger === null ? "" : ` (${dumpNode(args.trigger)})`;
  if (args.form !== "pairs") return args.words.map((word) => ` ${quote(word)}`).join("");
  const separator = quote(args.isLegacy ? "" : "=");
  return args.pairs.map(({ key, value }) => ` ${quote(key)} ${quote(value)} ${separator}`).join("");
}

const dumpSource = (source) => source.nodes.map((node) => `(${dumpNode(node)})\n`).join("");

function checkParser(dir, { parseSource }, report) {
  const parse = (name) => parseSource(readFileSync(name, "utf8"), name, false);
  for (const name of readdirSync(join(dir, "parser/testfiles"))) {
    const folder = join(dir, "parser/testfiles", name);
    const want = readFileSync(join(folder, "result"), "utf8");
    report("parser/testfiles", name, want, () => dumpSource(parse(join(folder, "Dockerfile"))));
  }
  for (const name of readdirSync(join(dir, "parser/testfiles-negative"))) {
    const file = join(dir, "parser/testfiles-negative", name, "Dockerfile");
    report("parser/testfiles-negative", name, "error", () => dumpSource(parse(file)));
  }
  report("parser/testfile-line", "Dockerfile", "5-5 11-12 17-31", () =>
    parse(join(dir, "parser/testfile-line/Dockerfile"))
      .nodes.map(({ location }) => `${location.startLine}-${location.endLine}`)
      .join(" "),
  );
}

function checkEnvironment(dir, { expandWord }, report) {
  const environment = new Map([
    ["PWD", "/home"],
    ["SHELL", "bash"],
    ["KOREAN", "한국어"],
    ["NULL", ""],
  ]);
  for (const line of readFileSync(join(dir, "shell/envVarTest"), "utf8").split("\n")) {
    if (line.startsWith("#") || line.trim() === "") continue;
    const [platform, source, want] = line.split("|").map((part) => part.trim());
    if (platform === "W") continue;
    report("shell/envVarTest", source, want, () => expandWord(source, (name) => environment.get(name), "\\").text);
  }
}

function checkWords(dir, { expandWords }, report) {
  const environment = new Map();
  for (const line of readFileSync(join(dir, "shell/wordsTest"), "utf8").replace(/\n$/, "").split("\n")) {
    if (line.startsWith("#")) continue;
    if (line.startsWith("ENV ")) {
      const [, name, value] = /^ENV +([^=]*)=(.*)$/.exec(line);
      environment.set(name, value);
      continue;
    }
    const [source, words] = line.split("|");
    const want = words.replace(/^ +/, "");
    report("shell/wordsTest", source.trim(), want, () =>
      expandWords(source.trim(), (name) => environment.get(name), "\\").words.join(","),
    );
  }
}

async function loadParser() {
  const dir = await mkdtemp(join(tmpdir(), "tsbuild-testdata-"));
  try {
    const outfile = join(dir, "parser.mjs");
    const contents = ["parse-source", "word-expansion"].map((name) => `export * from "./${name}.ts";`).join("\n");
    const stdin = { contents, resolveDir: "src/dockerfile", loader: "ts" };
    await build({ stdin, outfile, bundle: true, format: "esm", platform: "node", target: "node20" });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const dir = process.argv[2];
if (dir === undefined) throw new Error("usage: node scripts/check-buildkit-testdata.js BUILDKIT/frontend/dockerfile");
const counts = new Map();
const report = (suite, name, want, run) => {
  let got;
  try {
    got = run();
  } catch (error) {
    if (error.name !== "BuildError") throw error;
    got = "error";
  }
  const count = counts.get(suite) ?? { passed: 0, all: 0 };
  counts.set(suite, count);
  count.all += 1;
  if (got === want) count.passed += 1;
  else console.log(`${suite} ${name}\n  want ${JSON.stringify(want)}\n  got  ${JSON.stringify(got)}`);
};
const parser = await loadParser();
checkParser(dir, parser, report);
checkEnvironment(dir, parser, report);
checkWords(dir, parser, report);
for (const [suite, { passed, all }] of counts) console.log(`${suite}: ${passed} of ${all}`);
process.exit([...counts.values()].every(({ passed, all }) => passed === all) ? 0 : 1);
