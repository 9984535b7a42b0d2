import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Platform } from "../../../src/image/platform.ts";
import { parsePlatform } from "../../../src/image/platform.ts";
import { requireProgramsOf } from "../../../src/sandbox/foreign-programs.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const amd64 = parsePlatform("linux/amd64");
/** As qemu-user-static registers it. */
const arm64 = {
  magic: "7f454c460201010000000000000000000200b700",
  mask: "ffffffffffffff00fffffffffffffffffeffffff",
};
const s390x = {
  magic: "7f454c4602020100000000000000000000020016",
  mask: "ffffffffffffff00fffffffffffffffffffeffff",
};

interface HandlerText {
  readonly magic: string;
  readonly mask: string;
  readonly state?: string;
  readonly flags?: string;
}

describe("programs of another platform", () => {
  const temporary = useTemporaryDirectory();

  const register = (handlers: Readonly<Record<string, HandlerText>>, status = "enabled"): string => {
    const directory = join(temporary.path, "binfmt_misc");
    mkdirSync(directory);
    writeFileSync(join(directory, "status"), `${status}\n`);
    writeFileSync(join(directory, "register"), "");
    for (const [name, { magic, mask, state = "enabled", flags = "OCF" }] of Object.entries(handlers))
      writeFileSync(
        join(directory, name),
        `${state}\ninterpreter /usr/bin/${name}\nflags: ${flags}\noffset 0\nmagic ${magic}\nmask ${mask}\n`,
      );
    return directory;
  };
  const check = (platform: string, directory: string, machine: Platform = amd64): unknown =>
    thrownBy(() => requireProgramsOf(parsePlatform(platform), "RUN make", machine, directory));
  const runs = (platform: string, directory: string, machine?: Platform): void =>
    requireProgramsOf(parsePlatform(platform), "RUN make", machine, directory);

  test.each([
    ["linux/amd64", amd64],
    ["linux/amd64/v3", amd64],
    ["linux/386", amd64],
    ["linux/arm/v7", parsePlatform("linux/arm64")],
  ])("%s needs no handler on a machine that runs them", (platform, machine) => {
    runs(platform, join(temporary.path, "missing"), machine);
  });

  test("run with a handler that takes them, whatever its name is", () => {
    const directory = register({ "qemu-aarch64": arm64, other: s390x });
    runs("linux/arm64", directory);
    runs("linux/s390x", directory);
  });

  test("do not run without one, and the error says what to do", () => {
    expect(check("linux/arm64", join(temporary.path, "missing"))).toMatchObject({
      code: "RUNTIME_UNAVAILABLE",
      message:
        "RUN make: programs for linux/arm64 do not run on this linux/amd64 machine: no handler for them is registered",
      hint: expect.stringContaining("qemu-user-static"),
    });
    expect(check("linux/riscv64", register({ "qemu-aarch64": arm64 }))).toMatchObject({ code: "RUNTIME_UNAVAILABLE" });
  });

  test.each([
    ["is switched off", { ...arm64, state: "disabled" }, "enabled", "is switched off"],
    ["is looked up in the image", { ...arm64, flags: "OC" }, "enabled", "flag F"],
    ["is one of many that are all switched off", arm64, "disabled", "no handler"],
    ["takes 32-bit programs only", { ...arm64, magic: arm64.magic.replace("4602", "4601") }, "enabled", "no handler"],
    ["goes by the name of the file", { ...arm64, magic: "" }, "enabled", "no handler"],
  ])("do not run when the handler %s", (_, handler, status, problem) => {
    expect(check("linux/arm64", register({ "qemu-aarch64": handler }, status))).toMatchObject({
      code: "RUNTIME_UNAVAILABLE",
      message: expect.stringContaining(problem),
    });
  });

  test("of another system or an unknown processor do not run at all", () => {
    const directory = register({ "qemu-aarch64": arm64 });
    expect(check("windows/amd64", directory)).toMatchObject({ hint: "build on windows" });
    expect(check("linux/vax", directory)).toMatchObject({ message: expect.stringContaining("format is not known") });
  });
});
