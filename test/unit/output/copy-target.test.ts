import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { chooseCopyTarget } from "../../../src/output/copy-target.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const temporary = useTemporaryDirectory();
const file = { isDirectory: false, isContent: false, name: "passwd" };
const directory = { isDirectory: true, isContent: false, name: "etc" };
const content = { ...directory, isContent: true };

function makeDestination(): string {
  const root = temporary.path;
  mkdirSync(join(root, "dir"));
  writeFileSync(join(root, "file"), "old");
  symlinkSync("dir", join(root, "to-dir"));
  symlinkSync("dir/real", join(root, "to-nothing"));
  return root;
}

test.each([
  [file, "dir", "dir", "passwd"],
  [file, "dir/", "dir", "passwd"],
  [file, "to-dir", "dir", "passwd"],
  [file, "file", "", "file"],
  [file, "new", "", "new"],
  [file, "to-nothing", "", "to-nothing"],
  [file, "dir/new", "dir", "new"],
  [directory, "dir", "dir", "etc"],
  [directory, "new", "", "new"],
  [directory, "new/", "", "new"],
  [content, "dir", "dir", ""],
  [content, "new", "", "new"],
] as const)("%j goes to %s", async (source, destination, into, folder) => {
  const root = makeDestination();
  expect(await chooseCopyTarget(source, `${root}/${destination}`)).toEqual({ into: join(root, into), folder });
});

test.each([
  [file, "none/", "no such directory"],
  [file, "none/.", "no such directory"],
  [file, "none/new", "there is no directory"],
  [file, "file/new", "there is no directory"],
  [directory, "file", "a directory cannot become a file"],
  [content, "file", "a directory cannot become a file"],
  [directory, "none/new", "there is no directory"],
  [file, "../../../../../../../../dev/null", "neither a file nor a directory"],
] as const)("%j to %s is refused", async (source, destination, message) => {
  const root = makeDestination();
  const error = await rejectionOf(chooseCopyTarget(source, `${root}/${destination}`));
  expect(error.code).toBe("EXPORT_DESTINATION_INVALID");
  expect(error.message).toContain(message);
});
