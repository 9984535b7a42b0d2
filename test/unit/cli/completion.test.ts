import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type CommandHandlers, runCommandLine } from "../../../src/cli/command-line.ts";
import { bashScript } from "../../../src/cli/completion/bash-script.ts";
import { allNodes, type CommandNode, kindOfPlace } from "../../../src/cli/completion/command-tree.ts";
import { fishScript } from "../../../src/cli/completion/fish-script.ts";
import { zshScript } from "../../../src/cli/completion/zsh-script.ts";
import { useSharedDirectory } from "../../support/shared-directory.ts";

const shared = useSharedDirectory();
let tree: CommandNode;

/** What the scripts get when they ask for names. */
const names = `tsbuild() {
  case "$*" in
    "__complete image") printf '%s\\n' demo/a:1 demo/a:2 host.example:5000/b:latest ;;
    "__complete container") echo quick-fox ;;
  esac
}
`;

beforeAll(async () => {
  const handlers = { completion: (_: unknown, given: CommandNode) => (tree = given) } as unknown as CommandHandlers;
  await runCommandLine(["completion", "bash"], handlers, { out: () => {}, err: () => {} });
  mkdirSync(join(shared.path, "src/inner"), { recursive: true });
  writeFileSync(join(shared.path, "a file.tar"), "");
  writeFileSync(join(shared.path, "rootfs.tar"), "");
});

/** What bash offers behind each line, all in one bash. */
function offered(...lines: readonly string[]): string[][] {
  const ask = lines
    .map((line) => `COMP_LINE='${line}' COMP_POINT=${line.length}; _tsbuild; printf '%s\\n' "\${COMPREPLY[@]}" @`)
    .join("\n");
  const script = `${bashScript(tree)}\n${names}\n${ask}\n`;
  const text = execFileSync("bash", ["--norc"], { cwd: shared.path, input: script }).toString();
  return text
    .split("@\n")
    .slice(0, -1)
    .map((block) => block.split("\n").filter((word) => word !== ""));
}

describe("bash completes", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["tsbuild im", ["images", "import"]],
    ["tsbuild images --fo", ["--format"]],
    ["tsbuild --iid", ["--iidfile"]],
    ["tsbuild history demo/", ["demo/a:1", "demo/a:2"]],
    ["tsbuild history demo/a:", ["1", "2"]],
    ["tsbuild rmi x host.example:50", ["5000/b:latest"]],
    ["tsbuild logs q", ["quick-fox"]],
    ["tsbuild build --progress p", ["plain"]],
    ["tsbuild build --progress=p", ["plain"]],
    ["tsbuild save --format ", ["docker", "oci"]],
    ["tsbuild completion ", ["bash", "zsh", "fish"]],
    ["tsbuild load -i root", ["rootfs.tar"]],
    ["tsbuild load -i a", ["a file.tar"]],
    ["tsbuild build --iidfile=sr", ["src"]],
    ["tsbuild src/in", ["src/inner"]],
    ["tsbuild build --label ", []],
    ["tsbuild debug ", ["instructions"]],
    ["tsbuild nothing --nothing", []],
  ];

  test("commands, options, names and files", () => {
    const answers = offered(...cases.map(([line]) => line));
    expect(cases.map(([line], at) => [line, answers[at]])).toEqual(cases);
  });

  test("every command with every option", () => {
    const nodes = allNodes(tree).filter(({ options }) => options.length > 0);
    const answers = offered(...nodes.map(({ path }) => ["tsbuild", ...path, "-"].join(" ")));
    for (const [at, { options }] of nodes.entries())
      expect(answers[at]).toEqual(options.flatMap(({ long, short }) => [long, short].filter((name) => name !== null)));
  });
});

test("hidden commands are not offered", () => {
  expect(allNodes(tree).some(({ path }) => path.includes("__complete"))).toBe(false);
});

test.each([
  ["zsh", zshScript],
  ["fish", fishScript],
] as const)("%s takes its script, where it is installed", (shell, scriptOf) => {
  const script = scriptOf(tree);
  for (const { path } of allNodes(tree)) expect(script).toContain(path.at(-1) ?? "tsbuild");
  const file = join(shared.path, shell);
  writeFileSync(file, script);
  const checked = spawnSync(shell, ["-n", file]);
  if (checked.error === undefined) expect([checked.status, checked.stderr.toString()]).toEqual([0, ""]);
});

test.each([
  ["images...", "image"],
  ["repository[:tag]", "image"],
  ["image:/path", "image"],
  ["container", "container"],
  ["<dir>", "file"],
  ["<type=,dest=|DIR|->", "file"],
  ["<name=value>", "other"],
])("%s holds: %s", (name, kind) => {
  expect(kindOfPlace(name)).toBe(kind);
});
