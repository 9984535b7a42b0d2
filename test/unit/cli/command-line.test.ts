import { describe, expect, test } from "vitest";
import { type BuildOptions, type CommandHandlers, runCommandLine } from "../../../src/cli/command-line.ts";

interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
}

async function run(...args: string[]): Promise<{ calls: readonly Call[]; out: string }> {
  const calls: Call[] = [];
  let out = "";
  const handlers = new Proxy({} as CommandHandlers, {
    get:
      (_, name: string) =>
      (...given: unknown[]) =>
        void calls.push({ name, args: given.slice(0, -1).concat(given.at(-1)) }),
  });
  const write = (text: string): void => {
    out += text;
  };
  await runCommandLine(args, handlers, { out: write, err: write });
  return { calls, out };
}

async function buildOptions(...args: string[]): Promise<BuildOptions> {
  const { calls } = await run(...args);
  expect(calls[0]?.name).toBe("build");
  return calls[0]?.args[1] as BuildOptions;
}

describe("command line", () => {
  test("build is the command when none is named", async () => {
    const { calls } = await run("-t", "ns/app", ".");
    expect(calls[0]).toMatchObject({ name: "build", args: [".", { tag: ["ns/app"] }] });
  });

  test("flags take docker's spelling and repeat", async () => {
    const options = await buildOptions(
      "build",
      "-t",
      "a",
      "--tag=b",
      "--build-arg",
      "X=1",
      "--build-arg=Y",
      "--no-cache",
      "-q",
      "-f",
      "-",
      "-o",
      "out",
      ".",
    );
    expect(options).toMatchObject({
      tag: ["a", "b"],
      buildArg: ["X=1", "Y"],
      cache: false,
      quiet: true,
      file: "-",
      output: ["out"],
    });
  });

  test("--no-cache-filter names stages and leaves --no-cache alone", async () => {
    expect(await buildOptions("--no-cache-filter", "a,b", ".")).toMatchObject({ cache: true, cacheFilter: ["a", "b"] });
    expect(await buildOptions(".")).toMatchObject({ cache: true, cacheFilter: [] });
    expect(await buildOptions("--no-cache", ".")).toMatchObject({ cache: false, cacheFilter: [] });
  });

  test("an unknown flag is refused with the one that was meant", async () => {
    await expect(run("--taget", "x", ".")).rejects.toMatchObject({
      code: "USAGE_UNKNOWN_FLAG",
      message: expect.stringContaining("--taget"),
      hint: expect.stringContaining("--target"),
    });
  });

  test.each([[[]], [["images", "a", "b"]], [["--progress", "fancy", "."]], [["tag", "one"]]])(
    "%j is refused",
    async (args: string[]) => {
      await expect(run(...args)).rejects.toMatchObject({ code: "USAGE_INVALID" });
    },
  );

  test.each([
    ["--help"],
    ["build --help"],
    ["images --help"],
    ["history --help"],
    ["inspect --help"],
    ["tag --help"],
    ["rmi --help"],
    ["prune --help"],
    ["du --help"],
    ["version --help"],
  ])("tsbuild %s prints help and runs nothing", async (line) => {
    const { calls, out } = await run(...line.split(" "));
    expect(out).toMatch(/^Usage: tsbuild/);
    expect(calls).toEqual([]);
  });
});
