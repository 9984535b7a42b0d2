import { describe, expect, test } from "vitest";
import { BuildError } from "../../../src/base/errors.ts";
import {
  checkAsJson,
  outlineAsJson,
  renderCheck,
  renderOutline,
  renderTargets,
  targetsAsJson,
} from "../../../src/cli/render-call.ts";

const text = "FROM scratch as base\nARG V\nCMD x\n";
const dockerfile = { path: "Dockerfile", bytes: Buffer.from(text) };
const at = (line: number) => ({ file: "Dockerfile", startLine: line, endLine: line });
const json = (line: number) => ({ ranges: [{ start: { line }, end: { line } }] });
const data = Buffer.from(text).toString("base64");
const warning = (rule: string, line: number | null) => ({
  rule,
  message: `about ${rule}`,
  location: line === null ? null : at(line),
});

describe("check", () => {
  test("says when there is nothing to say", () => {
    expect(renderCheck({ dockerfile, warnings: [], error: null })).toBe("Check complete, no warnings found.\n");
  });

  test("shows findings by line, each with its excerpt and the page that explains it", () => {
    const warnings = [warning("JSONArgsRecommended", 3), warning("FromAsCasing", 1)];
    expect(renderCheck({ dockerfile, warnings, error: null })).toBe(`Check complete, 2 warnings have been found!

WARNING: FromAsCasing - https://docs.docker.com/go/dockerfile/rule/from-as-casing/
about FromAsCasing
Dockerfile:1
--------------------
   1 | >>> FROM scratch as base
   2 |     ARG V
   3 |     CMD x
--------------------

WARNING: JSONArgsRecommended - https://docs.docker.com/go/dockerfile/rule/json-args-recommended/
about JSONArgsRecommended
Dockerfile:3
--------------------
   1 |     FROM scratch as base
   2 |     ARG V
   3 | >>> CMD x
--------------------
`);
  });

  test("shows no page for a rule that has none, and no lines for a finding without place", () => {
    expect(renderCheck({ dockerfile, warnings: [warning("InvalidBaseImagePlatform", null)], error: null })).toBe(
      "Check complete, 1 warning has been found!\n\nWARNING: InvalidBaseImagePlatform\nabout InvalidBaseImagePlatform\n",
    );
  });

  test("as JSON has BuildKit's shape", () => {
    const error = new BuildError("DOCKERFILE_SYNTAX", "is wrong", { location: at(2) });
    expect(JSON.parse(checkAsJson({ dockerfile, warnings: [warning("FromAsCasing", 1)], error }))).toEqual({
      warnings: [
        {
          ruleName: "FromAsCasing",
          description: expect.any(String),
          url: "https://docs.docker.com/go/dockerfile/rule/from-as-casing/",
          detail: "about FromAsCasing",
          location: json(1),
        },
      ],
      sources: [{ filename: "Dockerfile", language: "Dockerfile", data }],
      buildError: { message: "is wrong", location: json(2) },
    });
  });
});

test("an instruction of several lines has a range for each, a huge one has one", () => {
  const rangesOf = (endLine: number): readonly object[] => {
    const location = { file: "Dockerfile", startLine: 2, endLine };
    const warnings = [{ rule: "UndefinedVar", message: "", location }];
    return JSON.parse(checkAsJson({ dockerfile, warnings, error: null })).warnings[0].location.ranges;
  };
  expect(rangesOf(3)).toEqual([...json(2).ranges, ...json(3).ranges]);
  expect(rangesOf(100_000)).toEqual([{ start: { line: 2 }, end: { line: 100_000 } }]);
});

describe("outline", () => {
  const outline = {
    target: "base",
    description: "is small",
    args: [
      { name: "V", value: "1", description: "version", location: at(2) },
      { name: "LONGER", value: null, description: "", location: at(2) },
    ],
    secrets: [{ id: "token", required: true, location: at(3) }],
    ssh: [{ id: "default", required: false, location: null }],
  };

  test("is tables", () => {
    expect(renderOutline(outline)).toBe(`TARGET:      base
DESCRIPTION: is small

BUILD ARG   VALUE   DESCRIPTION
V           1       version
LONGER

SECRET   REQUIRED
token    true

SSH       REQUIRED
default

`);
  });

  test("of a target that takes nothing is empty", () => {
    expect(renderOutline({ target: null, description: "", args: [], secrets: [], ssh: [] })).toBe("");
  });

  test("as JSON leaves out what is empty", () => {
    expect(JSON.parse(outlineAsJson(outline, dockerfile))).toEqual({
      name: "base",
      description: "is small",
      args: [
        { name: "V", value: "1", description: "version", location: json(2) },
        { name: "LONGER", location: json(2) },
      ],
      secrets: [{ name: "token", required: true, location: json(3) }],
      ssh: [{ name: "default" }],
      sources: [data],
    });
  });
});

describe("targets", () => {
  const targets = [
    { name: "base", description: "is small", isDefault: false, base: "scratch", platform: null, location: at(1) },
    { name: null, description: "", isDefault: true, base: "base", platform: "$P", location: at(2) },
  ];

  test("is a table", () => {
    expect(renderTargets(targets)).toBe("TARGET      DESCRIPTION\nbase        is small\n(default)\n");
  });

  test("as JSON has BuildKit's shape", () => {
    expect(JSON.parse(targetsAsJson(targets, dockerfile))).toEqual({
      targets: [
        { name: "base", description: "is small", base: "scratch", location: json(1) },
        { default: true, base: "base", platform: "$P", location: json(2) },
      ],
      sources: [data],
    });
  });
});
