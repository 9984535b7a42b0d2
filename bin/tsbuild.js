#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";

const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === "--version" || args[0] === "version")) {
  // Answered here: loading the command line would double the time.
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  process.stdout.write(`tsbuild ${version}\n`);
} else if (!existsSync(new URL("../dist/cli.js", import.meta.url))) {
  process.stderr.write("ERROR: tsbuild has not been built yet\nhint: run npm ci && npm run build first\n");
  process.exitCode = 3;
} else {
  const { main } = await import("../dist/cli.js");
  process.exitCode = await main(args);
}
