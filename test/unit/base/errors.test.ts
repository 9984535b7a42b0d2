import { expect, test } from "vitest";
import { exitCodes } from "../../../src/base/error-codes.ts";
import { BuildError, exitCodeOf, fromWire, isBuildError, toWire, withFacts } from "../../../src/base/errors.ts";

test.each([
  ["RUN_FAILED", 1],
  ["USAGE_UNKNOWN_FLAG", 2],
  ["STORE_UNWRITABLE", 3],
  ["SOURCE_UNAVAILABLE", 4],
  ["BLOB_DIGEST_MISMATCH", 5],
  ["INTERNAL", 70],
  ["BUILD_CANCELLED", 130],
] as const)("%s makes the process exit with %d", (code, exitCode) => {
  expect(exitCodeOf(new BuildError(code, "x"))).toBe(exitCode);
});

test("what is not a BuildError is a bug", () => {
  expect(exitCodeOf(new TypeError("x"))).toBe(exitCodes.internal);
  expect(isBuildError(Object.assign(new Error("x"), { code: "ENOENT" }))).toBe(false);
});

test("an error that crossed a thread is the same error", () => {
  const error = new BuildError("RUN_FAILED", "exit code 7", {
    hint: "look at the log",
    location: { file: "Dockerfile", startLine: 2, endLine: 3 },
    details: { exitCode: 7 },
    cause: new BuildError("INTERNAL", "below", { cause: new Error("untyped") }),
  });
  const revived = fromWire(structuredClone(toWire(error)));
  expect(isBuildError(revived, "RUN_FAILED")).toBe(true);
  expect(revived).toMatchObject({
    message: error.message,
    hint: error.hint,
    location: error.location,
    details: error.details,
  });
  expect(revived.stack).toBe(error.stack);
  expect(isBuildError(revived.cause, "INTERNAL")).toBe(true);
  expect((revived.cause as Error).cause).toMatchObject({ code: "INTERNAL", message: "untyped" });
});

test("facts are added to an error, never replaced", () => {
  const location = { file: "Dockerfile", startLine: 1, endLine: 1 };
  const bare = withFacts(new BuildError("RUN_FAILED", "x", { details: { a: 1 } }), {
    location,
    hint: "h",
    details: { a: 2, b: 3 },
  });
  expect(bare).toMatchObject({ location, hint: "h", details: { a: 1, b: 3 } });
  const kept = withFacts(bare, { location: { ...location, startLine: 9 }, hint: "other" });
  expect(kept).toMatchObject({ location, hint: "h" });
});

test("a cause that leads back to itself does not hang", () => {
  const error = new Error("loop");
  error.cause = error;
  expect(toWire(error).message).toBe("loop");
});
