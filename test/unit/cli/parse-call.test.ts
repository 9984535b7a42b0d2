import { describe, expect, test } from "vitest";
import { parseCall } from "../../../src/cli/parse-call.ts";
import { thrownBy } from "../../support/thrown-by.ts";

describe("--call", () => {
  const text = { format: "text", ignoresStatus: false };

  test.each([
    [undefined, null],
    ["build", null],
    ["check", { method: "check", ...text }],
    ["lint", { method: "check", ...text }],
    ["outline", { method: "outline", ...text }],
    ["targets,format=json", { method: "targets", format: "json", ignoresStatus: false }],
    ["check,format=json,ignorestatus=true", { method: "check", format: "json", ignoresStatus: true }],
  ])("%s", (call, want) => expect(parseCall(call, false)).toEqual(want));

  test("--check is short for it, and keeps its options", () => {
    expect(parseCall(undefined, true)).toEqual({ method: "check", ...text });
    expect(parseCall("check,format=json", true)).toMatchObject({ method: "check", format: "json" });
  });

  test.each([
    ["outlin", false],
    ["", false],
    ["check,format=xml", false],
    ["check,json", false],
    ["outline", true],
    ["build", true],
  ])("refuses %j with --check %s", (call, check) => {
    expect(thrownBy(() => parseCall(call, check))).toMatchObject({ code: "USAGE_INVALID" });
  });

  test("suggests the method that was meant", () => {
    expect(thrownBy(() => parseCall("outlin", false))).toMatchObject({ hint: expect.stringContaining("outline") });
  });
});
