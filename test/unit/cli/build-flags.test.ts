import { describe, expect, test } from "vitest";
import {
  parseAnnotations,
  parseBuildArgs,
  parseExtraHosts,
  parseNamedContexts,
  parsePairs,
  parseSecrets,
  parseSize,
  parseSsh,
  parseUlimits,
} from "../../../src/cli/build-flags.ts";

const usage = expect.objectContaining({ code: "USAGE_INVALID" });

describe("--build-arg", () => {
  test.each([
    [[], { SOURCE_DATE_EPOCH: "1" }, "1"],
    [["SOURCE_DATE_EPOCH=2"], { SOURCE_DATE_EPOCH: "1" }, "2"],
    [["SOURCE_DATE_EPOCH="], { SOURCE_DATE_EPOCH: "1" }, ""],
    [[], { SOURCE_DATE_EPOCH: "" }, undefined],
  ])("%j with the environment %j has the epoch %j", (flags, environment, epoch) => {
    expect(parseBuildArgs(flags, environment).get("SOURCE_DATE_EPOCH")).toBe(epoch);
  });

  test("takes the value after the first =, or from the environment, or leaves the argument out", () => {
    const args = parseBuildArgs(["A=1=2", "B=", "FROM_ENV", "UNSET"], { FROM_ENV: "e" });
    expect([...args]).toEqual([
      ["A", "1=2"],
      ["B", ""],
      ["FROM_ENV", "e"],
    ]);
  });
  test("a name like __proto__ is a name", () => {
    expect(parseBuildArgs(["__proto__=x"], {}).get("__proto__")).toBe("x");
    expect(parseBuildArgs(["toString"], {}).size).toBe(0);
  });
  test("no name is an error", () => {
    expect(() => parseBuildArgs(["=x"], {})).toThrow(usage);
  });
});

test.each([
  ["64m", 64 * 2 ** 20],
  ["1G", 2 ** 30],
  ["1gb", 2 ** 30],
  ["2KiB", 2048],
  ["1024", 1024],
  ["1.5k", 1536],
  ["10b", 10],
])("size %s is %d bytes", (text, sizeBytes) => {
  expect(parseSize("shm-size", text)).toBe(sizeBytes);
});
test.each(["", "m", "-1m", "1x", "1e3", "9999999999t"])("size %j is refused", (text) => {
  expect(() => parseSize("shm-size", text)).toThrow(usage);
});

test.each([
  ["db:10.0.0.1", "db", "10.0.0.1"],
  ["db=10.0.0.1", "db", "10.0.0.1"],
  ["six:::1", "six", "::1"],
  ["six=[::1]", "six", "::1"],
])("--add-host %s", (text, name, address) => {
  expect(parseExtraHosts([text])).toEqual([{ name, address }]);
});
test.each(["db", "db:", ":1.2.3.4", "db:not-an-address"])("--add-host %j is refused", (text) => {
  expect(() => parseExtraHosts([text])).toThrow(usage);
});

test("--ulimit takes one limit or soft and hard", () => {
  expect(parseUlimits(["nofile=1024", "nproc=10:20", "core=-1"])).toEqual([
    { name: "nofile", soft: 1024, hard: 1024 },
    { name: "nproc", soft: 10, hard: 20 },
    { name: "core", soft: -1, hard: -1 },
  ]);
});
test.each(["nofile", "files=1", "nofile=20:10", "nofile=-1:5", "nofile=x"])("--ulimit %s is refused", (text) => {
  expect(() => parseUlimits([text])).toThrow(usage);
});

test.each([
  ["id=a,src=f", { id: "a", kind: "file", path: "f" }],
  ["id=a,source=f", { id: "a", kind: "file", path: "f" }],
  ["id=a,env=E", { id: "a", kind: "env", name: "E" }],
  ["type=env,id=A", { id: "A", kind: "env", name: "A" }],
  ["id=SET", { id: "SET", kind: "env", name: "SET" }],
  ["id=unset", { id: "unset", kind: "file", path: "unset" }],
] as const)("--secret %s", (text, secret) => {
  expect(parseSecrets([text], { SET: "1" })).toEqual([secret]);
});
test.each(["src=f", "id=a,nope=1", "id", "id=a,type=vault"])("--secret %j is refused", (text) => {
  expect(() => parseSecrets([text], {})).toThrow(usage);
});

test("--ssh forwards the agent of the environment or a named socket", () => {
  expect(parseSsh(["default", "other=/run/agent"], { SSH_AUTH_SOCK: "/tmp/s" })).toEqual([
    { id: "default", socket: "/tmp/s" },
    { id: "other", socket: "/run/agent" },
  ]);
  expect(() => parseSsh(["default"], {})).toThrow(usage);
});

test("--label without = is an empty label, --build-context without = is refused", () => {
  expect([...parsePairs("label", ["a=b=c", "d"])]).toEqual([
    ["a", "b=c"],
    ["d", ""],
  ]);
  expect([...parseNamedContexts(["base=docker-image://x"])]).toEqual([["base", "docker-image://x"]]);
  expect(() => parseNamedContexts(["base"])).toThrow(usage);
});

describe("--annotation", () => {
  test.each([
    ["a.b=c=d", [{ level: "manifest", platform: null, key: "a.b", value: "c=d" }]],
    ["a", [{ level: "manifest", platform: null, key: "a", value: "" }]],
    ["a=http://x", [{ level: "manifest", platform: null, key: "a", value: "http://x" }]],
    ["index:a=b", [{ level: "index", platform: null, key: "a", value: "b" }]],
    [
      "manifest[linux/arm64/v8],manifest-descriptor[linux/*],index-descriptor:a=b",
      [
        { level: "manifest", platform: "linux/arm64", key: "a", value: "b" },
        { level: "manifest-descriptor", platform: "linux/*", key: "a", value: "b" },
        { level: "index-descriptor", platform: null, key: "a", value: "b" },
      ],
    ],
  ])("%s", (text, want) => expect(parseAnnotations([text])).toEqual(want));

  test.each(["=b", "index:=b", "layer:a=b", ":a=b", "manifest,:a=b", "index[linux/amd64]:a=b", "manifest[linux:a=b"])(
    "%s is refused",
    (text) => expect(() => parseAnnotations([text])).toThrow(usage),
  );
});
