// Holds a law over the images of a store: squashing changes nothing that is to be seen. Of each image all layers, and all
// above the lowest, are squashed; the tar of the file system must stay the same, and what comes out must pass verify.
//   node scripts/check-squash.js STORE
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../bin/tsbuild.js", import.meta.url));
const squashedName = "localhost/tsbuild/check-squash:latest";
const [store] = process.argv.slice(2);
if (store === undefined) throw new Error("usage: node scripts/check-squash.js STORE");

function tsbuild(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args, "--root", store], {
    maxBuffer: 2 ** 31,
  });
  if (status !== 0) throw new Error(`tsbuild ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

const inspect = (name) => JSON.parse(tsbuild("inspect", name).toString());
const rootfsOf = (name, platform) =>
  createHash("sha256")
    .update(tsbuild("export", name, "--platform", platform))
    .digest("hex");

/** What is wrong with the image when the layers from `from` on are squashed; null when nothing is. */
function problemWith(name, from) {
  tsbuild("squash", name, "-t", squashedName, ...from);
  tsbuild("verify", squashedName);
  for (const { Platform } of inspect(name))
    if (rootfsOf(name, Platform) !== rootfsOf(squashedName, Platform)) return `${Platform}: the file system differs`;
  return null;
}

const names = tsbuild("images").toString().trim().split("\n").slice(1);
let failed = 0;
let checked = 0;
for (const line of names) {
  const [repository, tag] = line.split(/\s+/);
  const name = `${repository}:${tag}`;
  if (name === squashedName) continue;
  const layerCount = Math.min(...inspect(name).map(({ RootFS }) => RootFS.Layers.length));
  for (const from of [[], ...(layerCount > 2 ? [["--from", String(layerCount - 1)]] : [])]) {
    checked += 1;
    let problem;
    try {
      problem = problemWith(name, from);
    } catch (error) {
      problem = error.message;
    }
    if (problem === null) continue;
    failed += 1;
    process.stdout.write(`${name} ${from.join(" ")}: ${problem}\n`);
  }
}
spawnSync(process.execPath, [program, "rmi", squashedName, "--root", store]);
process.stdout.write(`${checked - failed} of ${checked} squashed images hold\n`);
process.exitCode = failed === 0 ? 0 : 1;
