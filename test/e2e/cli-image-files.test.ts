import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type CliResult, runCli, runCliWell } from "../support/cli.ts";
import { rawTar } from "../support/raw-tar.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { writeContext } from "../support/write-context.ts";

const shared = useSharedDirectory();
const root = (): string => join(shared.path, "store");
const tsbuild = (...args: string[]): Promise<CliResult> => runCliWell(args, { root: root() });
const outputOf = async (...args: string[]): Promise<string> => (await tsbuild(...args)).stdout.toString();

const tar = rawTar(
  { name: "etc/", type: "5", mode: 0o755, mtime: 0 },
  { name: "etc/motd", content: "hello\n", mode: 0o640, uid: 3, gid: 4, mtime: 0 },
  { name: "etc/link", type: "2", link: "/etc/motd", mode: 0o777, mtime: 0 },
  { name: "etc/loop", type: "2", link: "loop", mode: 0o777, mtime: 0 },
  { name: "bin/", type: "5", mode: 0o755, mtime: 0 },
);

/** An image of a tar, and one on top of it: neither takes a privilege. */
beforeAll(async () => {
  await runCliWell(["import", "-", "demo/a:1"], { root: root(), stdin: tar });
  const files = { Dockerfile: "FROM demo/a:1\nCOPY motd /etc/\nCOPY new /opt/new\n", motd: "HELLO\n", new: "n" };
  await tsbuild("-q", "-t", "demo/b", writeContext(join(shared.path, "context"), files));
});

test("ls shows a directory, or a file itself", async () => {
  expect(await outputOf("ls", "demo/a:1")).toBe(
    "drwxr-xr-x  0:0  0  1970-01-01 00:00  bin\ndrwxr-xr-x  0:0  0  1970-01-01 00:00  etc\n",
  );
  expect(await outputOf("ls", "demo/a:1:/etc")).toBe(
    [
      "lrwxrwxrwx  0:0  0  1970-01-01 00:00  link -> /etc/motd",
      "lrwxrwxrwx  0:0  0  1970-01-01 00:00  loop -> loop",
      "-rw-r-----  3:4  6  1970-01-01 00:00  motd",
      "",
    ].join("\n"),
  );
  expect(await outputOf("ls", "demo/a:1:/etc/../../etc/link")).toMatch(/^-rw-r----- .* motd\n$/);
  expect(await outputOf("ls", "demo/a:1:/bin")).toBe("");
});

test("cat prints a file, behind links inside the image", async () => {
  expect(await outputOf("cat", "demo/a:1:/etc/motd")).toBe("hello\n");
  expect(await outputOf("cat", "demo/b:/etc/link")).toBe("HELLO\n");
});

test("diff lists what differs", async () => {
  expect(await outputOf("diff", "demo/a:1", "demo/b")).toBe("C /etc/motd\nA /opt\nA /opt/new\n");
  expect(await outputOf("diff", "demo/b", "demo/a:1")).toBe("C /etc/motd\nD /opt\nD /opt/new\n");
  expect(await outputOf("diff", "demo/b", "demo/b")).toBe("");
});

test("diff of one image lists what its layers change, the lowest only when asked for", async () => {
  const upper = [
    expect.stringMatching(/^layer 2 of 3: sha256:[0-9a-f]{64} \S+ COPY motd \/etc\/ # buildkit$/),
    "C /etc/motd  6B",
    expect.stringMatching(/^layer 3 of 3: .* COPY new \/opt\/new/),
    "A /opt  0B",
    "A /opt/new  1B",
    "",
  ];
  expect((await outputOf("diff", "demo/b")).split("\n")).toEqual(upper);
  expect((await outputOf("diff", "demo/b", "--from", "demo/a:1")).split("\n")).toEqual(upper);
  expect((await outputOf("diff", "demo/b", "--from", "1")).split("\n")).toEqual(upper.slice(2));
  expect((await outputOf("diff", "demo/a:1")).split("\n")).toHaveLength(7);
  expect(JSON.parse(await outputOf("diff", "demo/b", "--format", "json", "--from", "2"))).toMatchObject([
    { number: 2, changes: [{ kind: "changed", path: "/etc/motd", bytesBefore: 6, bytesAfter: 6 }] },
    {
      number: 3,
      changes: [
        { kind: "added", path: "/opt", bytesBefore: null },
        { path: "/opt/new", bytesAfter: 1 },
      ],
    },
  ]);
});

test("squash merges layers under a new name, and says what that saved", async () => {
  const merged = await tsbuild("squash", "demo/b", "-t", "demo/all");
  expect(merged.stderr).toMatch(/^linux\/\w+: merged 3 of 3 layers, \S+ to \S+ \(saved \S+\)\n$/);
  expect(merged.stdout.toString()).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  expect(await outputOf("diff", "demo/b", "demo/all")).toBe("");
  const again = await tsbuild("squash", "demo/all", "-t", "demo/again");
  expect(again.stderr).toContain("nothing saved");
  expect(again.stdout).toEqual(merged.stdout);
});

test("verify finds nothing wrong, or says what is and exits with 1", async () => {
  expect(await outputOf("verify", "demo/b")).toBe("");
  const archive = join(shared.path, "b.tar");
  await tsbuild("save", "demo/b", "-o", archive);
  expect(JSON.parse(await outputOf("verify", archive, "--format", "json"))).toEqual({ source: archive, problems: [] });
  const damaged = readFileSync(archive, "latin1").replace('"architecture"', '"Architecture"');
  writeFileSync(archive, damaged, "latin1");
  const result = await runCli(["verify", archive], { root: root() });
  expect(result.code).toBe(1);
  expect(result.stdout.toString()).toMatch(/^BLOB_DIGEST sha256:/);
});

test.each([
  [["cat", "demo/a:1:/etc"], 1, "is a directory"],
  [["cat", "demo/a:1"], 2, "path is missing"],
  [["cat", "demo/a:1:/etc/passwd"], 1, "not in the image"],
  [["cat", "demo/a:1:/etc/loop"], 1, "symbolic links"],
  [["ls", "demo/a:1:/none"], 1, "not in the image"],
  [["ls", "demo/none"], 1, "not found"],
  [["ls", "demo/a:1", "--platform", "linux/s390x"], 1, "linux/s390x"],
  [["diff", "demo/b", "--from", "7"], 2, "3 layers"],
  [["squash", "demo/none"], 1, "not found"],
  [["squash", "demo/b", "-t", `a@sha256:${"0".repeat(64)}`], 2, "a digest cannot be given"],
  [["squash", "demo/b", "--from", "demo/none"], 2, "demo/none"],
  [["verify", "demo/none"], 1, "not found"],
])("%j fails and says why", async (args, code, problem) => {
  const result = await runCli(args, { root: root() });
  expect(result).toMatchObject({ code, stderr: expect.stringContaining(problem) });
  expect(result.stdout.toString()).toBe("");
});
