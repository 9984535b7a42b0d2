import { expect, test } from "vitest";
import { resolveInTree } from "../../../src/layer/resolve-path.ts";
import { openRootfsView } from "../../../src/layer/rootfs-view.ts";
import { dir, file, makeLayers, symlink } from "../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();

function makeTree(links: Readonly<Record<string, string>>) {
  const items = [dir("a"), dir("a/b"), file("a/b/file", "x"), dir("run")];
  const layers = makeLayers(temporary.path, [
    [...items, ...Object.entries(links).map(([path, to]) => symlink(path, to))],
  ]);
  return openRootfsView(layers);
}

const links = {
  abs: "/a/b",
  "a/rel": "b/file",
  "a/b/up": "../..",
  "a/b/far": "../../../../../../run",
  root: "/",
  dangling: "nowhere/deep",
  one: "two",
  two: "abs/./up//a",
  "file-link": "a/b/file",
  dots: "./a/../a/./b",
};

test.each([
  ["", "all", ""],
  ["/", "all", ""],
  ["a/b/file", "all", "a/b/file"],
  ["//a/./b//file/", "all", "a/b/file"],
  ["abs/file", "all", "a/b/file"],
  ["abs", "all", "a/b"],
  ["abs", "parents", "abs"],
  ["abs/", "parents", "abs"],
  ["abs/.", "parents", "abs"],
  ["abs/file", "parents", "a/b/file"],
  ["a/rel", "all", "a/b/file"],
  ["a/b/up/run", "all", "run"],
  ["a/b/far", "all", "run"],
  ["../../../a", "all", "a"],
  ["a/../../a/b/../b", "all", "a/b"],
  ["abs/..", "all", "a"],
  ["root/root/a", "all", "a"],
  ["dangling", "all", "nowhere/deep"],
  ["dangling/x/../y", "all", "nowhere/deep/y"],
  ["one", "all", "a"],
  ["one/rel", "parents", "a/rel"],
  ["dots/file", "all", "a/b/file"],
  ["missing/x", "all", "missing/x"],
  ["a/b/file/x", "all", "a/b/file/x"],
] as const)("%j, following %s, lies at %j", (path, follow, want) => {
  expect(resolveInTree(makeTree(links), path, follow)).toBe(want);
});

test("a loop of links is an error", () => {
  const tree = makeTree({ x: "y", y: "x" });
  expect(() => resolveInTree(tree, "x/z", "all")).toThrow(expect.objectContaining({ code: "CONTEXT_INVALID" }));
});

test.each([
  [255, true],
  [256, false],
])("a chain of %d links is followed: %s", (length, isFollowed) => {
  const chain = Object.fromEntries(
    Array.from({ length }, (_none, at) => [`l${at}`, at + 1 < length ? `l${at + 1}` : "a"]),
  );
  const tree = makeTree(chain);
  const resolve = (): string => resolveInTree(tree, "l0", "all");
  if (isFollowed) expect(resolve()).toBe("a");
  else expect(resolve).toThrow(expect.objectContaining({ code: "CONTEXT_INVALID" }));
});
