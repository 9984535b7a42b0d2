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

test.each([
  [["cat", "demo/a:1:/etc"], 1, "is a directory"],
  [["cat", "demo/a:1"], 2, "path is missing"],
  [["cat", "demo/a:1:/etc/passwd"], 1, "not in the image"],
  [["cat", "demo/a:1:/etc/loop"], 1, "symbolic links"],
  [["ls", "demo/a:1:/none"], 1, "not in the image"],
  [["ls", "demo/none"], 1, "not found"],
  [["ls", "demo/a:1", "--platform", "linux/s390x"], 1, "linux/s390x"],
  [["diff", "demo/a:1"], 2, "after"],
])("%j fails and says why", async (args, code, problem) => {
  const result = await runCli(args, { root: root() });
  expect(result).toMatchObject({ code, stderr: expect.stringContaining(problem) });
  expect(result.stdout.toString()).toBe("");
});
