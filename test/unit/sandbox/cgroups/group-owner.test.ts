import { expect, test } from "vitest";
import { isOwnerGone, nameGroup, ownerOfGroup, thisOwner } from "../../../../src/sandbox/cgroups/group-owner.ts";

test("the name of a group tells its owner", () => {
  const owner = { pidNamespace: "4026531836", pid: 12, startTime: "3456" };
  expect(ownerOfGroup(nameGroup(owner, "0a1b"))).toEqual(owner);
});

test.each(["", "system.slice", "tsbuild-1-2-3", "tsbuild-1-2-3-ab.service", "x-tsbuild-1-2-3-ab", "tsbuild-1--3-ab"])(
  "%j is no group of a build",
  (name) => {
    expect(ownerOfGroup(name)).toBeNull();
  },
);

test.skipIf(process.platform !== "linux").each([
  ["is there", {}, false],
  ["has another start time: the number was given again", { startTime: "1" }, true],
  ["is not there", { pid: 2 ** 22 + 1 }, true],
  ["cannot be seen from here", { pidNamespace: "1", pid: 2 ** 22 + 1 }, false],
])("an owner that %s", (_, change, isGone) => {
  expect(isOwnerGone({ ...thisOwner(), ...change })).toBe(isGone);
});
