import { expect, test } from "vitest";
import { environmentValue, programCandidates } from "../../../src/sandbox/program-search.ts";

test.each([
  ["sh", "/bin:/usr/bin/", ["/bin/sh", "/usr/bin/sh"]],
  ["sh", "/:.:bin::/b", ["/sh", "/b/sh"]],
  ["sh", "", []],
  ["", "/bin", []],
  ["./sh", "/bin", ["./sh"]],
  ["/bin/sh", "/usr/bin", ["/bin/sh"]],
])("%j in PATH %j", (program, searchPath, expected) => {
  expect(programCandidates(program, searchPath)).toEqual(expected);
});

test("the last row of a variable counts", () => {
  const rows = ["A=1", "AB=2", "A=x=y", "B"];
  expect(environmentValue(rows, "A")).toBe("x=y");
  expect(environmentValue(rows, "B")).toBeUndefined();
  expect(environmentValue(rows, "C")).toBeUndefined();
});
