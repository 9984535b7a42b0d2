import { expect, test } from "vitest";
import { digestOf } from "../../../src/base/digest.ts";
import { parseContainerFilters } from "../../../src/cli/container-filter.ts";
import { describeStatus } from "../../../src/cli/container-status.ts";
import type { StoredContainer } from "../../../src/store/container-store.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const ended: StoredContainer = {
  id: "ab".repeat(32),
  name: "quiet_pond",
  image: "busybox",
  imageId: digestOf("image"),
  diffIds: [],
  args: ["sh"],
  createdAtMs: 0,
  isTransient: false,
  imageConfig: "{}",
  isRunning: false,
  start: { pid: 1, startedAtMs: 1000, mountPoints: [] },
  exit: { exitCode: 3, finishedAtMs: 60_000 },
};
const running: StoredContainer = { ...ended, isRunning: true, exit: null };
const waiting: StoredContainer = { ...running, start: null };
const killed: StoredContainer = { ...ended, exit: null };
const idOfImage = ended.imageId.slice("sha256:".length, "sha256:".length + 8);

test.each<readonly [string, readonly string[], StoredContainer, boolean]>([
  ["everything", [], ended, true],
  ["the beginning of an ID", ["id=abab"], ended, true],
  ["another ID", ["id=ba"], ended, false],
  ["a part of a name", ["name=pond"], ended, true],
  ["another name", ["name=lake"], ended, false],
  ["one of two names", ["name=lake", "name=pond"], ended, true],
  ["two filters of which one does not fit", ["name=pond", "status=running"], ended, false],
  ["a state", ["status=exited"], ended, true],
  ["one that runs", ["status=running"], running, true],
  ["one that has not begun", ["status=created"], waiting, true],
  ["one that was killed", ["status=exited"], killed, true],
  ["an exit code", ["exited=3"], ended, true],
  ["another exit code", ["exited=0"], ended, false],
  ["the exit code of one that was killed", ["exited=137"], killed, true],
  ["no exit code of one that runs", ["exited=3"], running, false],
  ["the image's name", ["ancestor=busybox"], ended, true],
  ["the image's whole name", ["ancestor=docker.io/library/busybox:latest"], ended, true],
  ["another tag of the image", ["ancestor=busybox:1"], ended, false],
  ["the beginning of the image's ID", [`ancestor=${idOfImage}`], ended, true],
])("fits: %s", (_, flags, container, fits) => {
  expect(parseContainerFilters(flags)(container)).toBe(fits);
});

test.each(["name", "nobody=1", "toString=1", "status=paused", "exited=x", ""])("--filter %j is refused", (flag) => {
  expect(thrownBy(() => parseContainerFilters([flag]))).toMatchObject({ code: "USAGE_INVALID" });
});

test.each([
  ["Exited (3) About a minute ago", ended],
  ["Exited (137)", killed],
  ["Up 2 minutes", running],
  ["Created", waiting],
])("the status %j", (text, container) => {
  expect(describeStatus(container, 121_000)).toBe(text);
});
