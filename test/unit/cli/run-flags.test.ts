import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseEnvironment, parseTmpfs, parseVolumes, readEnvironmentFiles } from "../../../src/cli/run-flags.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const temporary = useTemporaryDirectory();
const caller = { HOME: "/home/me", EMPTY: "" };

describe("--env", () => {
  test.each([
    ["A=1", "A=1"],
    ["A=", "A="],
    ["A=b=c", "A=b=c"],
    ["HOME", "HOME=/home/me"],
    ["EMPTY", "EMPTY="],
    ["UNSET", "UNSET"],
    ["toString", "toString"],
  ])("%j is %j", (value, row) => {
    expect(parseEnvironment([value], caller)).toEqual([row]);
  });

  test.each(["", "=", "=value"])("%j has no name", (value) => {
    expect(thrownBy(() => parseEnvironment([value], caller))).toMatchObject({ code: "USAGE_INVALID" });
  });
});

describe("--env-file", () => {
  const read = (content: string | Buffer): readonly string[] => {
    const path = join(temporary.path, "env");
    writeFileSync(path, content);
    return readEnvironmentFiles([path], caller);
  };

  test.each([
    ["lines", "A=1\nB=2\n", ["A=1", "B=2"]],
    ["no end of the last line", "A=1", ["A=1"]],
    ["ends of lines of Windows, and a byte order mark", "\ufeffA=1\r\nB=2\r\n", ["A=1", "B=2"]],
    ["comments and empty lines", "# A=1\n\n  # B=2\n \t\nC=3", ["C=3"]],
    ["values as they are", "A= x \"y\" # z \nB='q'", ['A= x "y" # z ', "B='q'"]],
    ["white space before a name", "  A=1", ["A=1"]],
    ["names alone", "HOME\nUNSET\nEMPTY", ["HOME=/home/me", "EMPTY="]],
  ])("takes %s", (_, content, rows) => {
    expect(read(content)).toEqual(rows);
  });

  test.each([
    ["a name with white space", "A B=1"],
    ["white space behind a name", "A =1"],
    ["no name", "A=1\n=2"],
    ["what is no text", Buffer.from([0x41, 0x3d, 0xff])],
  ])("refuses %s", (_, content) => {
    expect(thrownBy(() => read(content))).toMatchObject({ code: "USAGE_INVALID" });
  });

  test("refuses a file that is not there", () => {
    const path = join(temporary.path, "missing");
    expect(thrownBy(() => readEnvironmentFiles([path], caller))).toMatchObject({
      code: "USAGE_INVALID",
      message: expect.stringContaining("ENOENT"),
    });
  });
});

describe("--volume", () => {
  const bind = { kind: "bind", subPath: "", readOnly: false };
  test.each([
    ["/host:/place", { ...bind, source: "/host", target: "/place" }],
    ["/host/file:/place/file:rw", { ...bind, source: "/host/file", target: "/place/file" }],
    ["/host:/place:ro", { ...bind, source: "/host", target: "/place", readOnly: true }],
  ])("%j shows what the host has", (value, mount) => {
    expect(parseVolumes([value])).toEqual({ mounts: [mount], volumes: [] });
  });

  test("with a place alone is a directory of the container's own", () => {
    expect(parseVolumes(["/data"])).toEqual({ mounts: [], volumes: ["/data"] });
  });

  test.each([
    ["name:/place", "there are no volumes with names"],
    ["./here:/place", '"./here" is no absolute path'],
    ["a/b:/place", '"a/b" is no absolute path'],
    ["/host:place", '"place" is no absolute path'],
    ["/host:", '"" is no absolute path'],
    ["data", '"data" is no absolute path'],
    ["", '"" is no absolute path'],
    [":/place", "there are no volumes with names"],
    ["/host:/place:z", 'unknown option "z"'],
    ["/host:/place:", 'unknown option ""'],
    ["/host:/place:ro:x", "want HOST:CONTAINER or HOST:CONTAINER:ro"],
  ])("%j is refused: %s", (value, problem) => {
    expect(thrownBy(() => parseVolumes([value]))).toMatchObject({
      code: "USAGE_INVALID",
      message: `--volume ${JSON.stringify(value)}: ${problem}`,
    });
  });
});

describe("--tmpfs", () => {
  test.each([
    ["/run", null],
    ["/run:size=64m", 64 << 20],
    ["/run:rw,nosuid,size=1k,nodev,exec", 1024],
  ])("%j", (value, sizeBytes) => {
    expect(parseTmpfs([value])).toEqual([{ kind: "tmpfs", target: "/run", sizeBytes }]);
  });

  test.each(["run", "", "/run:size=x", "/run:mode=700", "/run:"])("%j is refused", (value) => {
    expect(thrownBy(() => parseTmpfs([value]))).toMatchObject({ code: "USAGE_INVALID" });
  });
});
