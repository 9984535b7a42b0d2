import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { errnoName, errnoNumbers, fromNodeError, hasErrno, systemError } from "../../../src/sys/system-error.ts";

test.each([
  ["ENOSPC", "STORE_NO_SPACE"],
  ["EDQUOT", "STORE_NO_SPACE"],
  ["EACCES", "STORE_UNWRITABLE"],
  ["EROFS", "STORE_UNWRITABLE"],
  ["EIO", "SYSTEM_CALL_FAILED"],
])("%s is %s", (name, code) => {
  const error = systemError("write", "/a\nb", errnoNumbers[name] ?? -1);
  expect(error).toMatchObject({ code, details: { call: "write", path: "/a\nb", errno: name } });
  expect(error.message).toContain(`write "/a\\nb": `);
  expect(error.message).toContain(`(${name})`);
});

test("an unknown number is named by itself", () => {
  expect(errnoName(4711)).toBe("errno 4711");
  expect(errnoName(errnoNumbers.EAGAIN ?? -1)).toBe("EAGAIN");
});

test("errors of node:fs are translated, others are left alone", () => {
  const translated = (() => {
    try {
      return readFileSync("/no/such/file");
    } catch (error) {
      return fromNodeError(error);
    }
  })();
  expect(translated).toMatchObject({
    code: "SYSTEM_CALL_FAILED",
    details: { call: "open", path: "/no/such/file", errno: "ENOENT" },
  });
  expect(hasErrno(translated, "ENOENT")).toBe(true);
  expect(hasErrno(translated, "EIO")).toBe(false);
  const other = new Error("other");
  expect(fromNodeError(other)).toBe(other);
  expect(fromNodeError("text")).toBe("text");
});
