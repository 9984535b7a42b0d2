import { describe, expect, test } from "vitest";
import type { Instruction } from "../../../src/dockerfile/instruction.ts";
import { parseDockerfile, parseOnbuildTrigger } from "../../../src/dockerfile/parse-dockerfile.ts";
import { thrownBy } from "../../support/thrown-by.ts";
import { caseDockerfile, casesIn, expectGolden } from "./golden-file.ts";

const parse = (text: string) => parseDockerfile(Buffer.from(text), "Dockerfile");
const inLastStage = (text: string): readonly Instruction[] => parse(text).stages.at(-1)?.instructions ?? [];

test.each(casesIn("parse"))("golden: %s", (name) => {
  const { text: _, ...dockerfile } = parseDockerfile(caseDockerfile("parse", name), "Dockerfile");
  const withShortLocations = (key: string, value: unknown) =>
    key === "location" || key === "emptyContinuations"
      ? JSON.stringify(value).replace(/"file":"Dockerfile",/g, "")
      : value;
  expectGolden("parse", name, "parsed.json", `${JSON.stringify(dockerfile, withShortLocations, 1)}\n`);
});

describe("line ends and bytes", () => {
  test("a byte order mark is dropped before the directives are read", () => {
    const dockerfile = parse("\ufeff# escape=`\nFROM a\nRUN b `\nc");
    expect(dockerfile.escape).toBe("`");
    expect(dockerfile.stages[0]?.instructions[0]).toMatchObject({ command: { text: "b c" } });
  });

  test("CRLF ends lines, also continued ones, and stays in heredocs", () => {
    const [run, copy] = inLastStage("FROM a\r\nRUN b \\\r\n c\r\nCOPY <<E /d\r\nx\r\nE\r\n");
    expect(run).toMatchObject({ command: { text: "b  c" }, location: { startLine: 2, endLine: 3 } });
    expect(copy).toMatchObject({ heredocs: [{ content: "x\r\n" }], destination: "/d" });
  });

  test("a lone carriage return ends no line", () => {
    expect(inLastStage("FROM a\rAS b\nUSER c\rd")).toMatchObject([{ user: "c\rd" }]);
  });

  test("a NUL is an ordinary character", () => {
    expect(inLastStage("FROM a\nUSER b\0c\n")).toMatchObject([{ user: "b\0c" }]);
  });

  test("bytes that are no UTF-8 may stand in comments", () => {
    const bytes = Buffer.concat([Buffer.from("# caf"), Buffer.from([0xe9]), Buffer.from("\nFROM a\n")]);
    expect(parseDockerfile(bytes, "Dockerfile").stages).toHaveLength(1);
  });

  test.each([
    ["instruction", "FROM a\nUSER caf", "\n"],
    ["heredoc", "FROM a\nCOPY <<E /x\ncaf", "\nE\n"],
  ])("bytes that are no UTF-8 are refused in an %s", (_, before, after) => {
    const bytes = Buffer.concat([Buffer.from(before), Buffer.from([0xe9]), Buffer.from(after)]);
    const error = thrownBy(() => parseDockerfile(bytes, "Dockerfile"));
    expect(error).toMatchObject({ code: "DOCKERFILE_SYNTAX", location: { startLine: 2 } });
    expect(error.message).toContain("not UTF-8");
  });

  test("a line of 65535 bytes is read, a longer one refused", () => {
    const user = "u".repeat(65535 - "USER ".length);
    expect(inLastStage(`FROM a\nUSER ${user}\n`)).toMatchObject([{ user }]);
    expect(thrownBy(() => parse(`FROM a\nUSER ${user}u\n`))).toMatchObject({
      code: "DOCKERFILE_TOO_LARGE",
      location: { startLine: 2, endLine: 2 },
    });
    expect(thrownBy(() => parse(`FROM a\nUSER ${user.slice(1)}é\n`)).code).toBe("DOCKERFILE_TOO_LARGE");
  });
});

describe("directives", () => {
  test.each([
    ["any case and spacing", "#   eScApE  =  `  \nFROM a\n"],
    ["after other directives", "# syntax=a b\n# check=skip=all\n# escape=`\nFROM a\n"],
    ["indented", "  # escape=`\nFROM a\n"],
  ])("escape is read: %s", (_, text) => {
    expect(parse(text).escape).toBe("`");
  });

  test.each([
    ["after a comment", "# hello\n# escape=`\nFROM a\n"],
    ["after a blank line", "\n# escape=`\nFROM a\n"],
    ["after an instruction", "FROM a\n# escape=`\n"],
    ["after an unknown directive", "# foo=bar\n# escape=`\nFROM a\n"],
    ["after #!", "#!/usr/bin/env x\n# escape=`\nFROM a\n"],
  ])("escape is a comment: %s", (_, text) => {
    expect(parse(text).escape).toBe("\\");
  });

  test("syntax and check are values as written, also after #!", () => {
    expect(parse("#!x\n# syntax=a/b:1 --opt\n# check=skip=A;error=true\nFROM a\n")).toMatchObject({
      syntax: "a/b:1 --opt",
      check: "skip=A;error=true",
    });
  });
});

describe("ONBUILD triggers", () => {
  const location = { file: "Dockerfile", startLine: 7, endLine: 7 };

  test("the stored text of a heredoc parses again, at the place of the FROM", () => {
    const [onbuild] = inLastStage("FROM a\nONBUILD COPY <<-E <<F /x/\n\tone\n\tE\ntwo\nF\n");
    const expression = onbuild?.kind === "onbuild" ? onbuild.expression : "";
    expect(expression).toBe("COPY <<-E <<F /x/\n\tone\nE\ntwo\nF");
    expect(parseOnbuildTrigger(expression, location)).toMatchObject({
      kind: "copy",
      heredocs: [
        { name: "E", content: "\tone\n", chomp: true },
        { name: "F", content: "two\n" },
      ],
      location,
    });
  });

  test("the escape character is the backslash", () => {
    expect(parseOnbuildTrigger("RUN a \\\n b", location)).toMatchObject({ command: { text: "a  b" } });
  });

  test.each([
    ["two instructions", "RUN a\nRUN b", "single expression"],
    ["nothing", "# comment", "no instructions"],
    ["FROM", "FROM a", "FROM isn't allowed"],
    ["MAINTAINER", "maintainer a", "MAINTAINER isn't allowed"],
    ["ONBUILD", "ONBUILD RUN a", "ONBUILD isn't allowed"],
    ["an unknown instruction", "RUM a", "unknown instruction: RUM"],
    ["an unterminated heredoc", "RUN <<E\na", "unterminated heredoc"],
  ])("refused: %s", (_, expression, message) => {
    const error = thrownBy(() => parseOnbuildTrigger(expression, location));
    expect(error.message).toContain(message);
    expect(error.location?.file).toBe("Dockerfile");
  });
});
