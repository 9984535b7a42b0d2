// Holds the import rule of docs/architecture.md: a folder of src/ imports itself and folders before it in this list.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";

export const folders = [
  "base",
  "sys",
  "dockerfile",
  "image",
  "layer",
  "context",
  "store",
  "registry",
  "plan",
  "solve",
  "sandbox",
  "steps",
  "output",
  "serve",
  "workers",
  "engine",
  "cli",
];
/** Each package has one file that wraps it. */
const wrappers = {
  koffi: "sys/native.ts",
  "dockerfile-ast": "dockerfile/source-ranges.ts",
  fzstd: "layer/zstd.ts",
  "seek-bzip": "layer/bzip2.ts",
  "xz-decompress": "layer/xz.ts",
  piscina: "workers/worker-pool.ts",
  ora: "cli/spinner.ts",
  commander: "cli/command-line.ts",
  bcryptjs: "serve/htpasswd.ts",
};
/** Only these folders start processes. */
const mayStartProcesses = ["sys", "context", "sandbox"];

/** Problems of one file, as texts. */
export function problemsOf(file, text) {
  const folder = file.split("/")[0];
  const problems = [];
  for (const match of text.matchAll(/\bfrom\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g)) {
    const specifier = match[1] ?? match[2];
    if (specifier.startsWith(".")) {
      const target = normalize(join(dirname(file), specifier)).split("/")[0];
      if (folders.indexOf(target) > folders.indexOf(folder))
        problems.push(`${file}: ${folder}/ must not import ${target}/ (data flows left to right)`);
    } else if (specifier in wrappers && wrappers[specifier] !== file) {
      problems.push(`${file}: only ${wrappers[specifier]} may import ${specifier}`);
    } else if (specifier === "node:child_process" && !mayStartProcesses.includes(folder)) {
      problems.push(`${file}: only ${mayStartProcesses.join(", ")} may start processes`);
    }
  }
  const name = file.split("/").at(-1);
  if (/^(utils?|helpers?|common|index)\.ts$/.test(name)) problems.push(`${file}: name it after the one thing it holds`);
  if (!folders.includes(folder)) problems.push(`${file}: folder ${folder}/ is not in the list`);
  return problems;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const files = readdirSync("src", { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".ts"));
  const problems = files.flatMap((file) => problemsOf(file, readFileSync(join("src", file), "utf8")));
  for (const problem of problems) console.error(problem);
  process.exit(problems.length === 0 ? 0 : 1);
}
