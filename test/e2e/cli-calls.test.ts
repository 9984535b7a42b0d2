import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { useTemporaryDirectory } from "../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();

/** Asks about a Dockerfile; the context has a file `a`. */
async function ask(dockerfile: string, ...args: readonly string[]) {
  const context = join(temporary.path, "context");
  mkdirSync(context, { recursive: true });
  writeFileSync(join(context, "Dockerfile"), dockerfile);
  writeFileSync(join(context, "a"), "");
  const root = join(temporary.path, "store");
  const { code, stdout, stderr } = await runCli([...args, "."], { root, cwd: context });
  return { code, stdout: stdout.toString(), stderr };
}

test.each([
  ["nothing wrong", "FROM scratch\nCOPY a /\n", 0, "Check complete, no warnings found.\n", ""],
  ["a warning", "FROM scratch as x\nCOPY a /\n", 1, "1 warning has been found!", ""],
  ["a skipped rule", "# check=skip=FromAsCasing\nFROM scratch as x\nCOPY a /\n", 0, "no warnings found", ""],
  ["what no parser understands", "FROM scratch\nCOPPY a /\n", 1, "", "did you mean COPY?"],
  ["a stage that needs itself", "FROM scratch AS x\nCOPY --from=x a /\n", 1, "", "circular dependency"],
  ["no Dockerfile at all", "", 1, "", "cannot be empty"],
])("--check of %s exits with what it found", async (_, dockerfile, code, stdout, stderr) => {
  const result = await ask(dockerfile, "--check");
  expect(result.code).toBe(code);
  expect(result.stdout).toContain(stdout);
  expect(result.stderr).toContain(stderr);
  expect(await ask(dockerfile, "--call=check,ignorestatus=true")).toMatchObject({ code: 0 });
});

test("--check prints JSON, and looks at the target only when one is named", async () => {
  const text = "FROM scratch AS bad\nENV a b\nFROM scratch AS good\nCOPY a /\n";
  const all = await ask(text, "--call=check,format=json");
  expect([all.code, JSON.parse(all.stdout).warnings[0].ruleName]).toEqual([1, "LegacyKeyValueFormat"]);
  const good = await ask(text, "--call=check,format=json", "--target=good");
  expect([good.code, JSON.parse(good.stdout).warnings]).toEqual([0, []]);
});

test("--call tells what a target takes and which targets there are", async () => {
  const text = "# base is small\nFROM scratch AS base\nARG VERSION=1\nFROM base\n";
  expect(await ask(text, "--call=outline", "--build-arg=VERSION=2")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/VERSION +2/),
  });
  expect(await ask(text, "--call=targets")).toMatchObject({
    code: 0,
    stdout: "TARGET      DESCRIPTION\nbase        is small\n(default)\n",
  });
  expect(await ask(text, "--call=target")).toMatchObject({ code: 2, stderr: expect.stringContaining("targets") });
  expect(await ask(text, "--call=outline", "--target=none")).toMatchObject({ code: 1 });
});
