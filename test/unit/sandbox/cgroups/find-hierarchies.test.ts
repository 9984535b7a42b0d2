import { expect, test } from "vitest";
import { findHierarchies } from "../../../../src/sandbox/cgroups/find-hierarchies.ts";

const unified = (root: string, at = "/sys/fs/cgroup"): string =>
  `30 24 0:26 ${root} ${at} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate`;
const old = (names: string, root = "/"): string =>
  `33 31 0:30 ${root} /sys/fs/cgroup/${names} rw,nosuid - cgroup cgroup rw,${names}`;

test.each([
  ["version 2", [unified("/")], "0::/user.slice/a", [[2, [], "/sys/fs/cgroup/user.slice/a"]]],
  ["version 2 in a control group namespace", [unified("/")], "0::/", [[2, [], "/sys/fs/cgroup"]]],
  [
    "version 1 with controllers together",
    [old("cpu,cpuacct"), old("memory")],
    "4:memory:/m\n2:cpu,cpuacct:/c",
    [
      [1, ["memory"], "/sys/fs/cgroup/memory/m"],
      [1, ["cpu", "cpuacct"], "/sys/fs/cgroup/cpu,cpuacct/c"],
    ],
  ],
  [
    "both versions",
    [old("pids"), unified("/", "/sys/fs/cgroup/unified")],
    "1:pids:/\n0::/x",
    [
      [1, ["pids"], "/sys/fs/cgroup/pids"],
      [2, [], "/sys/fs/cgroup/unified/x"],
    ],
  ],
  ["a mount of a group", [old("pids", "/docker/1")], "1:pids:/docker/1/a", [[1, ["pids"], "/sys/fs/cgroup/pids/a"]]],
  ["a mount of the own group", [old("pids", "/docker/1")], "1:pids:/docker/1", [[1, ["pids"], "/sys/fs/cgroup/pids"]]],
  ["a mount of another group is none", [old("pids", "/docker/1")], "1:pids:/docker/11", []],
  ["what is not mounted is none", [old("memory")], "1:pids:/\n0::/", []],
  ["a mount point with a space", [unified("/", "/a\\040b")], "0::/", [[2, [], "/a b"]]],
  ["a group with a colon", [unified("/")], "0::/a:b", [[2, [], "/sys/fs/cgroup/a:b"]]],
])("%s", (_, mounts, memberships, hierarchies) => {
  const found = findHierarchies(["1 0 8:1 / / rw - ext4 /dev/vda rw", ...mounts, ""].join("\n"), `${memberships}\n`);
  expect(found.map(({ version, controllers, own }) => [version, controllers, own])).toEqual(hierarchies);
});
