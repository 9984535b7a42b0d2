import { expect, test } from "vitest";
import { type CommandHandlers, runCommandLine } from "../../../src/cli/command-line.ts";
import type { RunOptions } from "../../../src/cli/container-commands.ts";
import { toRunRequest } from "../../../src/cli/run-command.ts";
import { rejectionOf, thrownBy } from "../../support/thrown-by.ts";

/** The handler that `args` lead to, and what it is called with, but for the command itself. */
async function call(
  ...args: readonly string[]
): Promise<{ readonly name: string; readonly given: readonly unknown[] }> {
  const calls: { name: string; given: readonly unknown[] }[] = [];
  const handlers = new Proxy({} as CommandHandlers, {
    get:
      (_, name: string) =>
      (...given: unknown[]) =>
        void calls.push({ name, given }),
  });
  await runCommandLine(args, handlers, { out: () => {}, err: () => {} });
  return calls[0] ?? { name: "", given: [] };
}

async function runOptions(...args: readonly string[]): Promise<RunOptions> {
  return (await call("run", ...args, "image")).given[2] as RunOptions;
}

test("what follows the image of run belongs to the program", async () => {
  const { name, given } = await call("run", "--rm", "app", "prog", "--rm=true", "-h", "--help", "--squash", "--", "-x");
  expect(name).toBe("run");
  expect(given.slice(0, 2)).toEqual(["app", ["prog", "--rm=true", "-h", "--help", "--squash", "--", "-x"]]);
  expect(given[2]).toMatchObject({ rm: true });
});

test("flags of run have docker's spelling, and short ones can be joined", async () => {
  const options = await runOptions("-it", "-e", "A=1", "--env=B", "-h", "box", "-v/a:/b", "--network=none", "-w", "/w");
  expect(options).toMatchObject({ interactive: true, tty: true, env: ["A=1", "B"], hostname: "box" });
  expect(options).toMatchObject({ volume: ["/a:/b"], network: "none", workdir: "/w", pull: "missing" });
});

test.each([["--network=bridge"], ["--pull=sometimes"], ["--detach"], ["-p", "80:80"]])(
  "run does not know %j",
  async (...flags) => {
    expect(await rejectionOf(runOptions(...flags))).toMatchObject({ code: expect.stringMatching(/^USAGE_/) });
  },
);

test("a request has what the flags say", async () => {
  const options = await runOptions(
    "--rm",
    "--read-only",
    "--entrypoint",
    "",
    "-u",
    "7",
    "--shm-size",
    "1m",
    "--name",
    "n",
  );
  expect(toRunRequest(["a"], options, {})).toMatchObject({
    args: ["a"],
    name: "n",
    isTransient: true,
    isReadOnly: true,
    entrypoint: "",
    user: "7",
    cwd: null,
    shmSizeBytes: 1 << 20,
    network: "host",
  });
});

test("files of variables count less than flags", async () => {
  const options = await runOptions("-e", "A=flag", "--env-file", "/dev/null");
  expect(toRunRequest([], options, {}).env).toEqual(["A=flag"]);
});

test.each([
  ["a relative working directory", ["-w", "here"]],
  ["a hostname with a newline", ["-h", "a\nb"]],
  ["an empty hostname", ["-h", ""]],
])("%s is refused", async (_, flags) => {
  const options = await runOptions(...flags);
  expect(thrownBy(() => toRunRequest([], options, {}))).toMatchObject({ code: "USAGE_INVALID" });
});

test("the other commands on containers", async () => {
  expect(await call("rm", "-f", "a", "b")).toMatchObject({ name: "rm", given: [["a", "b"], { force: true }] });
  expect(await call("ps", "-aq", "--no-trunc", "-f", "status=exited")).toMatchObject({
    name: "ps",
    given: [{ all: true, quiet: true, trunc: false, filter: ["status=exited"] }],
  });
  expect(await call("logs", "-fn", "5", "-t", "a")).toMatchObject({
    name: "logs",
    given: ["a", { follow: true, tail: "5", timestamps: true }],
  });
  expect(await call("commit", "-m", "text", "-c", "CMD x", "a", "ref")).toMatchObject({
    name: "commit",
    given: ["a", "ref", { message: "text", change: ["CMD x"] }],
  });
});
