#!/usr/bin/env node
const { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } = require("node:fs");
const { arch, argv, pid, version } = require("node:process");
const { dirname, join } = require("node:path");
const { Script } = require("node:vm");

const packageRoot = dirname(__dirname);
const program = join(packageRoot, "dist", "cli.cjs");

/**
 * Runs the bundle as `require` would, but with the machine code that V8 made of it in an earlier run: most of a start is
 * otherwise spent on compiling. `keep` writes that code down, next to the bundle, if it may be written there.
 */
function loadProgram() {
  const { mtimeMs, size } = statSync(program);
  const codeFile = `${program}.${version}-${arch}-${size}-${mtimeMs}.code`;
  const cachedData = existsSync(codeFile) ? readFileSync(codeFile) : undefined;
  // V8 forgets code that has not run for some time: what ran once at the start would be missing from what is kept.
  if (cachedData === undefined) setFlags("--no-flush-bytecode");
  // The bundle is ASCII; as such it is read at once, and takes half the memory.
  const source = readFileSync(program, "latin1");
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename: program,
    cachedData,
  });
  const bundle = { exports: {} };
  script.runInThisContext()(bundle.exports, require, bundle, program, dirname(program));
  const keep = () => {
    const draft = `${codeFile}.${pid}`;
    try {
      if (script.cachedDataRejected) rmSync(codeFile);
      if (cachedData !== undefined) return;
      // Code made with other flags than those of the next start would be refused.
      setFlags("--flush-bytecode");
      writeFileSync(draft, script.createCachedData(), { flag: "wx" });
      renameSync(draft, codeFile);
    } catch {
      // It is somebody else's directory: then every start compiles.
    }
  };
  return { main: bundle.exports.main, keep };
}

function setFlags(flags) {
  require("node:v8").setFlagsFromString(flags);
}

const args = argv.slice(2);
if (args.length === 1 && (args[0] === "--version" || args[0] === "version")) {
  // Answered here: loading the command line would double the time.
  process.stdout.write(`tsbuild ${JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")).version}\n`);
} else if (!existsSync(program)) {
  process.stderr.write("ERROR: tsbuild has not been built yet\nhint: run npm ci && npm run build first\n");
  process.exitCode = 3;
} else {
  const { main, keep } = loadProgram();
  main(args).then((exitCode) => {
    process.exitCode = exitCode;
    if (exitCode === 0) keep();
  });
}
