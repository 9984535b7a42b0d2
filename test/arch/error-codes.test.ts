import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { errorKinds, exitCodes } from "../../src/base/error-codes.ts";
import { sourceFiles } from "../support/source-files.ts";

const codes = Object.entries(errorKinds);

test("docs/errors.md lists every code with its kind and exit code, in the order of the table", () => {
  const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (\w+) \| (\d+) \| \S.* \|$/gm)];
  const kinds = [...page.matchAll(/^\| `([a-z]+)` \| (\d+) \| \S.* \|$/gm)];
  expect(rows.map(([, code, kind, exitCode]) => [code, kind, Number(exitCode)])).toEqual(
    codes.map(([code, kind]) => [code, kind, exitCodes[kind]]),
  );
  expect(Object.fromEntries(kinds.map(([, kind, exitCode]) => [kind, Number(exitCode)]))).toEqual(exitCodes);
});

test("every code is used", () => {
  const used = sourceFiles()
    .filter(({ path }) => path !== "base/error-codes.ts")
    .map(({ text }) => text)
    .join("\n");
  expect(codes.map(([code]) => code).filter((code) => !used.includes(`"${code}"`))).toEqual([]);
});
