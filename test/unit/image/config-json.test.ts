import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseImageConfig, serializeImageConfig } from "../../../src/image/config-json.ts";
import type { ImageConfig } from "../../../src/image/image-config.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const diffId = `sha256:${"ab".repeat(32)}`;
const right = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [diffId] } };
const parse = (members: object): ImageConfig => parseImageConfig(Buffer.from(JSON.stringify({ ...right, ...members })));
const write = (config: ImageConfig): string => Buffer.from(serializeImageConfig(config)).toString();
const fixture = (name: string): Buffer => readFileSync(new URL(`../../../fixtures/image/${name}`, import.meta.url));

test.each(["every-member", "scratch", "metadata-only-escapes"])("%s is read and written as BuildKit does", (name) => {
  expect(write(parseImageConfig(fixture(`${name}.json`)))).toBe(fixture(`${name}.golden.json`).toString().trimEnd());
});

test("what is written reads as the same, and is written as the same bytes", () => {
  const config = parseImageConfig(fixture("every-member.json"));
  const bytes = serializeImageConfig(config);
  expect(parseImageConfig(bytes)).toEqual(config);
  expect(serializeImageConfig(parseImageConfig(bytes))).toEqual(bytes);
});

test("an image without layers, rows and times has null in their places", () => {
  const config = parse({ rootfs: { type: "layers" }, config: null });
  expect(write(config)).toBe(
    '{"architecture":"amd64","config":{},"created":null,"history":null,"os":"linux","rootfs":{"type":"layers","diff_ids":null}}',
  );
});

test("the platform is normalised", () => {
  const config = parse({ architecture: "arm64", variant: "v8" });
  expect(config.platform).toEqual({ os: "linux", architecture: "arm64", variant: "", osVersion: "" });
  expect(write(config)).not.toContain("variant");
});

test("members that are null or empty are absent", () => {
  const empty = { User: "", Env: [], Cmd: null, Labels: {}, Volumes: null, ExposedPorts: {}, ArgsEscaped: false };
  expect(parse({ config: { ...empty, Healthcheck: null, OnBuild: null, Shell: null } }).config).toEqual({});
});

describe("keys of an object's prototype", () => {
  const text = '{"config":{"Labels":{"__proto__":"a","constructor":"b","toString":"c"},"Volumes":{"__proto__":{}}},';
  const bytes = Buffer.from(text + JSON.stringify(right).slice(1));

  test("are kept in labels and volumes", () => {
    const config = parseImageConfig(bytes);
    expect([...(config.config.Labels?.keys() ?? [])]).toEqual(["__proto__", "constructor", "toString"]);
    expect(write(config)).toContain('"Volumes":{"__proto__":{}}');
    expect(write(config)).toContain('"Labels":{"__proto__":"a","constructor":"b","toString":"c"}');
  });

  test("change no prototype", () => {
    parseImageConfig(bytes);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

test.each([
  ["no rootfs", { rootfs: undefined }, "rootfs: missing"],
  ["a rootfs of another type", { rootfs: { type: "x" } }, 'rootfs.type: got "x", want "layers"'],
  [
    "a diffID that leaves a directory",
    { rootfs: { type: "layers", diff_ids: ["sha256:../../x"] } },
    "rootfs.diff_ids[0]",
  ],
  ["an upper-case diffID", { rootfs: { type: "layers", diff_ids: [diffId.toUpperCase()] } }, "rootfs.diff_ids[0]"],
  ["a diffID that is no text", { rootfs: { type: "layers", diff_ids: [1] } }, "rootfs.diff_ids[0]: got a number"],
  ["no os", { os: undefined }, "os: missing"],
  ["an empty architecture", { architecture: "" }, "must not be empty"],
  ["an os that is a path", { os: "../../x" }, "os: "],
  ["a variant that is a path", { variant: "v8/.." }, "variant: "],
  ["a NUL in an environment", { config: { Env: ["A=b\0c"] } }, "config.Env[0]: holds a NUL byte"],
  ["a NUL in a user", { config: { User: "root\0" } }, "config.User: holds a NUL byte"],
  ["a NUL in a working directory", { config: { WorkingDir: "/\0" } }, "config.WorkingDir: holds a NUL byte"],
  ["a NUL in a volume", { config: { Volumes: { "/a\0": {} } } }, "config.Volumes: holds a NUL byte"],
  ["an environment that is an object", { config: { Env: { A: "b" } } }, "config.Env: got an object, want an array"],
  ["a command that is a string", { config: { Cmd: "sh" } }, "config.Cmd: got a string, want an array"],
  ["a null in a command", { config: { Cmd: ["sh", null] } }, "config.Cmd[1]: got null, want a string"],
  ["a label that is a number", { config: { Labels: { a: 1 } } }, "config.Labels.a: got a number, want a string"],
  ["volumes as a list", { config: { Volumes: ["/a"] } }, "config.Volumes: got an array, want an object"],
  [
    "a negative interval",
    { config: { Healthcheck: { Test: [], Interval: -1 } } },
    "config.Healthcheck.Interval: got -1",
  ],
  ["negative retries", { config: { Healthcheck: { Retries: -3 } } }, "config.Healthcheck.Retries: got -3"],
  [
    "a rounded interval",
    { config: { Healthcheck: { Interval: 2 ** 53 } } },
    "config.Healthcheck.Interval: got 9007199254740992",
  ],
  ["a time that is none", { created: "yesterday" }, 'created: "yesterday" is not an RFC 3339 time'],
  ["a time of history that is none", { history: [{ created: "x" }] }, 'history[0].created: "x" is not'],
  ["a history that is an object", { history: {} }, "history: got an object, want an array"],
])("%s is refused", (_name, members, problem) => {
  const error = thrownBy(() => parse(members));
  expect(error.code).toBe("IMAGE_INVALID");
  expect(error.message).toContain(problem);
});

test.each([
  ["a user that looks like a path", { User: "../../x" }],
  [
    "an environment with a line break, without a name, without =, empty",
    { Env: ["A=b\nc", "=x", "JUSTNAME", "E=", "F=a=b"] },
  ],
  ["a relative working directory", { WorkingDir: "../../etc" }],
  ["volumes outside", { Volumes: { "/../..": {} } }],
  ["triggers docker forbids", { OnBuild: ["FROM x", "ONBUILD RUN y", "MAINTAINER z"] }],
])("%s is only text here and kept", (_name, config) => {
  expect(JSON.parse(write(parse({ config }))).config).toEqual(config);
});

test("more than 4 MiB are refused, a hundred thousand labels below that are read", () => {
  const big = { config: { Labels: { a: "x".repeat(4 * 1024 * 1024) } } };
  expect(thrownBy(() => parse(big)).message).toContain("want at most 4194304");
  const labels = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`label-${at}`, "v"]));
  expect(parse({ config: { Labels: labels } }).config.Labels?.size).toBe(100_000);
});

test("any JSON is either a config or IMAGE_INVALID", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom("config", "history", "created", "author", "rootfs"), fc.jsonValue()),
      (members) => {
        try {
          serializeImageConfig(parse(members));
        } catch (error) {
          expect(error).toMatchObject({ code: "IMAGE_INVALID" });
        }
      },
    ),
  );
});
