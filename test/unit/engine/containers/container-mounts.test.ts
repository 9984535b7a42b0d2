import { expect, test } from "vitest";
import { outerFirst, planContainerMounts } from "../../../../src/engine/containers/container-mounts.ts";
import { thrownBy } from "../../../support/thrown-by.ts";

const bind = (target: string) => ({ kind: "bind", source: "/host", subPath: "", target, readOnly: false }) as const;

test("a volume gets a directory unless something is mounted in its place", () => {
  const { mounts, volumes } = planContainerMounts([bind("/data/")], ["/data", "/cache", "cache", "/", "/cache/./x/.."]);
  expect(mounts.map(({ target }) => target)).toEqual(["/data"]);
  expect(volumes).toEqual([{ target: "/cache", directory: "volumes/0" }]);
});

test.each([
  ["at the root", ["/"]],
  ["at what is the root", ["/a/.."]],
  ["two in one place", ["/a", "/a/"]],
])("mounts that make no sense are refused: %s", (_, targets) => {
  expect(thrownBy(() => planContainerMounts(targets.map(bind), []))).toMatchObject({ code: "USAGE_INVALID" });
});

test("outer mounts come first, and keep their order otherwise", () => {
  const targets = ["/a/b/c", "/z", "/a/b", "/a"];
  expect(outerFirst(targets.map(bind)).map(({ target }) => target)).toEqual(["/z", "/a", "/a/b", "/a/b/c"]);
});
