import { describe, expect, test } from "vitest";
import { parseModeChange } from "../../../../src/steps/copy/mode-change.ts";

const octal = (mode: number): string => mode.toString(8).padStart(4, "0");

describe("parseModeChange", () => {
  test.each([
    ["0755", 0o600, "0755"],
    ["7777", 0o600, "7777"],
    ["0", 0o600, "0000"],
    ["u=rwX,go=rX", 0o640, "0644"],
    ["u=rwX,go=rX", 0o711, "0755"],
    ["go-rwx,u+x", 0o640, "0700"],
    ["+x", 0o640, "0751"],
    ["a+X", 0o640, "0640"],
    ["a+X", 0o610, "0711"],
    ["a-X", 0o711, "0600"],
    ["u+s,g+s", 0o755, "6755"],
    ["u-s", 0o4755, "0755"],
    ["o+s", 0o755, "0755"],
    ["+t", 0o755, "1755"],
    ["o+t", 0o755, "0755"],
    ["u=rw", 0o4777, "0677"],
    ["=rw", 0o6755, "0666"],
    ["a=", 0o6755, "0000"],
    ["a=", 0o1755, "1000"],
    ["g=u", 0o740, "0770"],
    ["go=u-w", 0o700, "0755"],
    ["o=g,g=", 0o750, "0705"],
    ["u+w-x", 0o500, "0600"],
  ])("%s turns a file's %o into %s", (change, before, after) => {
    expect(octal(parseModeChange(change).apply(before, false))).toBe(after);
  });

  test("X makes every directory searchable", () => {
    expect(octal(parseModeChange("u=rwX,go=rX").apply(0o600, true))).toBe("0755");
  });

  test.each([
    ["0751", "0751"],
    ["1777", "0777"],
    ["u=rwx,go=", "0755"],
  ])("directories made for --chmod=%s have mode %s", (change, mode) => {
    expect(octal(parseModeChange(change).newDirectoryMode)).toBe(mode);
  });

  test.each(["", "17777", "64a", "888", "rwz", "u", "u+q", "u=r,", " 755"])("refuses %j", (text) => {
    expect(() => parseModeChange(text)).toThrow(expect.objectContaining({ code: "DOCKERFILE_BAD_ARGUMENT" }));
  });
});
