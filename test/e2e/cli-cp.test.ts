import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type CliResult, runCli, runCliWell } from "../support/cli.ts";
import { listTar } from "../support/list-tar.ts";
import { rawTar } from "../support/raw-tar.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { needsRoot } from "../support/skip-reason.ts";

const shared = useSharedDirectory();
const root = (): string => join(shared.path, "store");

const tar = rawTar(
  { name: "etc/", type: "5", mode: 0o755, mtime: 0 },
  { name: "etc/motd", content: "hello\n", mode: 0o640, uid: 3, gid: 4, mtime: 1000 },
  { name: "etc/again", type: "1", link: "etc/motd", mode: 0o640, mtime: 0 },
  { name: "etc/link", type: "2", link: "/etc/motd", mode: 0o777, mtime: 0 },
  { name: "etc/sub/", type: "5", mode: 0o700, mtime: 0 },
  { name: "etc/sub/su", content: "su", mode: 0o4755, mtime: 0 },
);

beforeAll(async () => {
  await runCliWell(["import", "-", "demo/a:1"], { root: root(), stdin: tar });
});

/** A new directory to copy into. */
function makeDestination(name: string): string {
  const directory = join(shared.path, name);
  mkdirSync(directory);
  return directory;
}

const cp = (cwd: string, ...args: string[]): Promise<CliResult> => runCli(["cp", ...args], { root: root(), cwd });

test("a file goes into a directory, to a new name and over a file, with its mode and time", async () => {
  const cwd = makeDestination("files");
  writeFileSync(join(cwd, "old"), "old");
  const { code, stderr } = await cp(cwd, "demo/a:1:/etc/motd", ".");
  expect([code, stderr]).toEqual([0, "copied 1 file to .\n"]);
  await cp(cwd, "-q", "demo/a:1:/etc/motd", "old");
  for (const name of ["motd", "old"]) {
    expect(readFileSync(join(cwd, name), "utf8")).toBe("hello\n");
    expect(lstatSync(join(cwd, name))).toMatchObject({ mode: 0o100640, uid: process.getuid?.(), mtimeMs: 1_000_000 });
  }
  expect(readdirSync(cwd).sort()).toEqual(["motd", "old"]);
});

test("a directory becomes a new one, goes into one that is there, or only its content does", async () => {
  const cwd = makeDestination("directories");
  mkdirSync(join(cwd, "there"));
  for (const destination of ["new", "there"]) await cp(cwd, "demo/a:1:/etc", destination);
  await cp(cwd, "demo/a:1:/etc/.", "there");
  const names = ["again", "link", "motd", "sub"];
  expect(readdirSync(join(cwd, "new")).sort()).toEqual(names);
  expect(readdirSync(join(cwd, "there")).sort()).toEqual([...names, "etc"].sort());
  expect(lstatSync(join(cwd, "new/again")).ino).toBe(lstatSync(join(cwd, "new/motd")).ino);
  expect(lstatSync(join(cwd, "new/sub/su")).mode & 0o7777).toBe(0o755);
  expect(readlinkSync(join(cwd, "there/etc/link"))).toBe("/etc/motd");
});

test.skipIf(needsRoot !== null)("--archive keeps owners and setuid bits", async () => {
  const cwd = makeDestination("archive");
  await cp(cwd, "-a", "demo/a:1:/etc", "etc");
  expect(lstatSync(join(cwd, "etc/motd"))).toMatchObject({ uid: 3, gid: 4 });
  expect(lstatSync(join(cwd, "etc/sub/su")).mode & 0o7777).toBe(0o4755);
});

test("a link is copied as such, or what it leads to with --follow-link", async () => {
  const cwd = makeDestination("links");
  await cp(cwd, "demo/a:1:/etc/link", "link");
  await cp(cwd, "-L", "demo/a:1:/etc/link", "file");
  expect(readlinkSync(join(cwd, "link"))).toBe("/etc/motd");
  expect(readFileSync(join(cwd, "file"), "utf8")).toBe("hello\n");
});

test("- is a tar on stdout", async () => {
  const { stdout } = await cp(shared.path, "demo/a:1:/etc/sub", "-");
  expect((await listTar(stdout)).map(({ name }) => name)).toEqual(["sub/", "sub/su"]);
});

test("no link at the destination is followed, and a directory is never lost to a file", async () => {
  const cwd = makeDestination("hostile");
  for (const name of ["outside", "a", "b/etc/motd"]) mkdirSync(join(cwd, name), { recursive: true });
  symlinkSync("../outside", join(cwd, "a/etc"));
  symlinkSync("../outside/motd", join(cwd, "a/motd"));
  for (const destination of ["a", "b"]) {
    const { code, stderr } = await cp(cwd, "demo/a:1:/etc", destination);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`${destination}/etc`)]);
  }
  expect(readdirSync(join(cwd, "b/etc"))).toEqual(["motd"]);
  expect((await cp(cwd, "demo/a:1:/etc/motd", "a")).code).toBe(0);
  expect(lstatSync(join(cwd, "a/motd")).isFile()).toBe(true);
  expect(readdirSync(join(cwd, "outside"))).toEqual([]);
});

test.each([
  [["demo/a:1", "."], 2, "path is missing"],
  [["demo/a:1:/none", "."], 1, "not in the image"],
  [["demo/a:1:/etc/motd/", "."], 1, "want a directory"],
  [["demo/a:1:/etc/motd", "none/"], 1, "no such directory"],
  [["demo/none:/etc", "."], 1, "not found"],
] as const)("cp %j fails", async (args, code, message) => {
  const result = await cp(shared.path, ...args);
  expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(message)]);
  expect(existsSync(join(shared.path, "none"))).toBe(false);
});
