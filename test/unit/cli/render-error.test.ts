import { expect, test } from "vitest";
import { BuildError } from "../../../src/base/errors.ts";
import { renderError } from "../../../src/cli/render-error.ts";

const bare = { excerpt: null, step: null, debug: false };

test("a failed step shows its output, its place and what to do", () => {
  const error = new BuildError("RUN_FAILED", 'process "/bin/sh -c make" did not complete successfully: exit code: 2', {
    location: { file: "Dockerfile", startLine: 3, endLine: 3 },
    hint: "the command's own output is above",
  });
  const step = { name: "[2/2] RUN make", lastLines: ["\x1b[31mmake: no rule\x1b[0m"] };
  expect(renderError(error, { excerpt: ">>> RUN make\n", step, debug: false })).toBe(
    "------\n > [2/2] RUN make:\nmake: no rule\n------\n" +
      "Dockerfile:3\n--------------------\n>>> RUN make\n--------------------\n" +
      'ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 2\n' +
      "hint: the command's own output is above\n",
  );
});

test("an ordinary error shows no stack, unless asked for", () => {
  const error = new BuildError("STORE_UNWRITABLE", "store: read-only", { details: { path: "/x" } });
  expect(renderError(error, bare)).toBe("ERROR: store: read-only\n");
  expect(renderError(error, { ...bare, debug: true })).toMatch(/STORE_UNWRITABLE .*\n(.|\n)*path: \/x\n/);
});

test("a bug shows its stack and asks for a report", () => {
  expect(renderError(new TypeError("x is undefined"), bare)).toMatch(
    /^ERROR: TypeError: x is undefined\nThis is a bug(.|\n)*at /,
  );
});

test("a message cannot do anything to the terminal", () => {
  expect(renderError(new BuildError("RUN_FAILED", "a\x1b]0;t\x07b"), bare)).toBe("ERROR: ab\n");
});
