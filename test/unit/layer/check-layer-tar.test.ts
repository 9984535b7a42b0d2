import { describe, expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import { LayerTarCheck } from "../../../src/layer/check-layer-tar.ts";
import { defaultTarLimits } from "../../../src/layer/tar-member.ts";
import { type RawMember, rawTar } from "../../support/raw-tar.ts";

function check(tar: Buffer, isStrict: boolean): LayerTarCheck {
  const found = new LayerTarCheck(isStrict, defaultTarLimits);
  for (let at = 0; at < tar.length; at += 300) found.take(tar.subarray(at, at + 300));
  expect(found.finish()).toBe(digestOf(tar));
  return found;
}

const codes = (tar: Buffer, isStrict: boolean): readonly string[] =>
  check(tar, isStrict).problems.map(({ code, message }) => `${code} ${message}`);

const dir = (name: string): RawMember => ({ name, type: "5", mode: 0o755 });

test("a tar as it is written here has no problem, and means its rows", () => {
  const tar = rawTar(
    dir("d/"),
    { name: "d/.wh..wh..opq" },
    { name: "d/f" },
    { name: ".wh.e" },
    { name: "f", content: "x" },
  );
  const found = check(tar, true);
  expect(found.problems).toEqual([]);
  expect([...(found.rows() ?? [])].map(({ path, type }) => `${path} ${type}`)).toEqual([
    "d directory",
    "d opaque",
    "d/f file",
    "e whiteout",
    "f file",
  ]);
});

describe("what is wrong everywhere", () => {
  test.each<[string, readonly RawMember[], string]>([
    ["a name with ..", [{ name: "a/../b" }], 'TAR_NAME "a/../b" leads out of the layer'],
    ["an absolute name", [{ name: "/a" }], 'TAR_NAME "/a" leads out of the layer'],
    ["a link to nothing", [{ name: "a", type: "1", link: "b" }], "TAR_FORMAT layer entry"],
    ["a wrong checksum", [{ name: "a", checksum: "wrong" }], "TAR_FORMAT"],
    ["a whiteout of nothing", [{ name: ".wh." }], "TAR_FORMAT"],
  ])("%s", (_name, members, problem) => {
    for (const isStrict of [false, true]) expect(codes(rawTar(...members), isStrict)[0]).toContain(problem);
  });

  test("a tar that is cut off", () => {
    const tar = rawTar({ name: "a", content: "x".repeat(2000) });
    expect(codes(tar.subarray(0, 1000), false)).toEqual([expect.stringContaining("TAR_FORMAT")]);
  });
});

test.each<[string, readonly RawMember[], string]>([
  ["members out of order", [{ name: "b" }, { name: "a" }], 'TAR_ORDER "a" comes behind "b"'],
  ["a directory behind what lies in it", [{ name: "d/f" }, dir("d/")], 'TAR_ORDER "d/" comes behind "d/f"'],
  ["a path twice", [{ name: "a" }, { name: "a" }], 'TAR_DUPLICATE "a" comes twice'],
  ["a path that is deleted and made", [{ name: ".wh.a" }, { name: "a" }], 'TAR_DUPLICATE "a" comes twice'],
  ["a name with a detour", [{ name: "./a" }], 'TAR_NAME "./a" is no plain path'],
  ["a directory without its slash", [dir("d")], 'TAR_NAME "d" is no plain path'],
  ["a mark with content", [{ name: ".wh.a", content: "x" }], 'TAR_MARK ".wh.a" is a mark, but no empty file'],
])("what tsbuild does not write: %s", (_name, members, problem) => {
  expect(codes(rawTar(...members), true)).toEqual([problem]);
  expect(codes(rawTar(...members), false)).toEqual([]);
});

test("only so many problems of one tar are told", () => {
  const names = Array.from({ length: 50 }, (_, at) => ({ name: `/${at}` }));
  expect(codes(rawTar(...names), false)).toHaveLength(20);
});

test("a tar that is too large is given up", () => {
  const found = new LayerTarCheck(false, { ...defaultTarLimits, maxTarBytes: 1000 });
  expect(() => found.take(Buffer.alloc(1001))).toThrow(expect.objectContaining({ code: "LAYER_TOO_LARGE" }));
});
