import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { baseLayout } from "../support/base-registry.ts";
import { baseFlags, runCli } from "../support/cli.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { useTemporaryDirectory } from "../support/temporary-directory.ts";

const cases = fileURLToPath(new URL("../../fixtures/errors", import.meta.url));
const temporary = useTemporaryDirectory();

/**
 * A case is a build context with the arguments of the build in `arguments`, one a line, and in `error.txt` the exit code
 * and what stderr shows. `TSBUILD_WRITE_ERRORS=1` writes error.txt anew: read what it says before it is kept.
 */
describe("an error says what is wrong, where, and what to do:", () => {
  test.for(readdirSync(cases).sort())("%s", async (name, { skip }) => {
    const dockerfile = join(cases, name, "Dockerfile");
    const runs = existsSync(dockerfile) && /^RUN/m.test(readFileSync(dockerfile, "utf8"));
    if (runs && needsRoot !== null) skip(`RUN: ${needsRoot}`);
    const context = join(temporary.path, "context");
    cpSync(join(cases, name), context, { recursive: true });
    for (const file of ["arguments", "error.txt"]) rmSync(join(context, file), { force: true });
    const args = readFileSync(join(cases, name, "arguments"), "utf8")
      .trimEnd()
      .split("\n");
    const options = { root: join(temporary.path, "store"), cwd: context };
    const { code, stdout, stderr } = await runCli(["--progress=quiet", ...baseFlags, ...args], options);
    const text = `exit code ${code}\n${stderr.replaceAll(context, "CONTEXT").replaceAll(baseLayout, "BASE")}`;
    if (process.env.TSBUILD_WRITE_ERRORS === "1") writeFileSync(join(cases, name, "error.txt"), text);
    expect(text).toBe(readFileSync(join(cases, name, "error.txt"), "utf8"));
    expect(stdout.toString()).toBe("");
  });
});
