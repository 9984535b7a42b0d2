// Makes what the benchmarks build from: the same bytes on every machine and in every run.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Pseudo-random numbers from 0 to 1 (mulberry32). */
function numbersFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Text that compresses about as well as source code does. */
function sourceText(random, sizeBytes) {
  const letters = "etaoinshrdlucmfwypvbgkjqxz";
  const word = () =>
    Array.from({ length: 2 + Math.floor(random() * 9) }, () => letters[Math.floor(random() ** 2 * 26)]).join("");
  const words = Array.from({ length: 4000 }, word);
  const marks = [" ", " ", " ", " ", "(", ");\n", " = ", ".", ", ", " {\n  ", "}\n"];
  const parts = [];
  for (let length = 0; length < sizeBytes; ) {
    const part = words[Math.floor(random() ** 3 * words.length)] + marks[Math.floor(random() * marks.length)];
    parts.push(part);
    length += part.length;
  }
  return Buffer.from(parts.join("")).subarray(0, sizeBytes);
}

/** Makes `directory` with `fill` unless an earlier run has done so. */
function once(directory, fill) {
  if (existsSync(directory)) return directory;
  const draft = `${directory}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  fill(draft);
  renameSync(draft, directory);
  return directory;
}

/** A directory like node_modules: packages of some 20 files, most of them small; on average 6.2 KB, 136 MB for 22,000. */
export function makeTree(directory, fileCount) {
  return once(directory, (root) => {
    const random = numbersFrom(fileCount);
    const text = sourceText(random, 4 << 20);
    let folder = root;
    for (let file = 0; file < fileCount; file += 1) {
      if (file % 10 === 0) {
        const name = `package-${Math.floor(file / 20)}`;
        folder = file % 20 === 0 ? join(root, name) : join(root, name, "lib");
        mkdirSync(folder, { recursive: true });
      }
      const sizeBytes = Math.min(Math.floor(1900 * Math.exp(1.56 * normal(random))), 2 << 20);
      const at = Math.floor(random() * (text.length - sizeBytes));
      const begin = `// file ${file} of ${fileCount}\n`;
      writeFileSync(join(folder, `module-${file}.js`), [begin, text.toString("latin1", at, at + sizeBytes)].join(""));
    }
  });
}

/** A number of the normal distribution with mean 0 and deviation 1 (Box and Muller). */
const normal = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** A directory with one file of random bytes. */
export function makeLargeFile(directory, sizeBytes) {
  return once(directory, (root) => {
    const partBytes = 1 << 20;
    const key = createHash("sha256").update("large file").digest();
    const part = Buffer.alloc(partBytes);
    for (let written = 0; written < sizeBytes; written += partBytes) {
      let block = createHash("sha512").update(key).update(String(written)).digest();
      // Chained hashes: no two blocks are equal, and nothing compresses.
      for (let at = 0; at < partBytes; at += 64) {
        block.copy(part, at);
        block = createHash("sha512").update(block).digest();
      }
      appendFileSync(join(root, "large.bin"), part.subarray(0, Math.min(partBytes, sizeBytes - written)));
    }
  });
}

/**
 * A Node project with 30 dependencies that lie in it as archives, 40 files each; its build reads the sources and what was
 * installed, and writes one file.
 */
export function makeNodeProject(directory) {
  return once(directory, (root) => {
    const random = numbersFrom(30);
    const dependencies = {};
    const packages = {};
    mkdirSync(join(root, "vendor"), { recursive: true });
    for (let number = 0; number < 30; number += 1) {
      const name = `dependency-${number}`;
      const folder = join(root, "package");
      mkdirSync(folder, { recursive: true });
      for (let file = 0; file < 40; file += 1)
        writeFileSync(join(folder, `file-${file}.js`), sourceText(random, 200 + Math.floor(random() * 8000)));
      writeFileSync(join(folder, "package.json"), JSON.stringify({ name, version: "1.0.0" }));
      const archive = join(root, "vendor", `${name}.tgz`);
      execFileSync("tar", ["-czf", archive, "-C", root, "package"]);
      rmSync(folder, { recursive: true });
      const resolved = `file:vendor/${name}.tgz`;
      dependencies[name] = resolved;
      const integrity = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
      packages[`node_modules/${name}`] = { version: "1.0.0", resolved, integrity };
    }
    const about = { name: "project", version: "1.0.0" };
    const lock = {
      ...about,
      lockfileVersion: 3,
      requires: true,
      packages: { "": { ...about, dependencies }, ...packages },
    };
    writeFileSync(join(root, "package.json"), JSON.stringify({ ...about, type: "module", dependencies }));
    writeFileSync(join(root, "package-lock.json"), JSON.stringify(lock));
    mkdirSync(join(root, "src"));
    for (let file = 0; file < 200; file += 1)
      writeFileSync(join(root, "src", `source-${file}.js`), sourceText(random, 4000));
    writeFileSync(
      join(root, "build.js"),
      `import { readdirSync, readFileSync, writeFileSync } from "node:fs";
const text = ["src", "node_modules/dependency-7"].flatMap((folder) =>
  readdirSync(folder).map((name) => readFileSync(folder + "/" + name, "utf8")),
);
writeFileSync("bundle.js", text.join(""));
`,
    );
  });
}

/** A directory with a Dockerfile, next to what is in it already. */
export function makeDockerfile(directory, text, name = "Dockerfile") {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, name), text);
  return directory;
}
