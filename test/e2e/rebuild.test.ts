import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { baseFlags, type CliOptions, runCli, runCliWell } from "../support/cli.ts";
import { readTarMembers } from "../support/oci-archive.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { useTemporaryDirectory } from "../support/temporary-directory.ts";
import { writeContext } from "../support/write-context.ts";

const temporary = useTemporaryDirectory();
const at = (name: string): string => join(temporary.path, name);
const options = (): CliOptions => ({ root: at("store") });

/** What became of each step, by its name: `CACHED` or `DONE`. */
async function statesOf(args: readonly string[], more: Partial<CliOptions> = {}): Promise<Record<string, string>> {
  const { stderr } = await runCliWell([...baseFlags, ...args], { ...options(), ...more });
  const names = new Map([...stderr.matchAll(/^#(\d+) \[.*?\] (.*)$/gm)].map(([, number, name]) => [number, name]));
  const states = [...stderr.matchAll(/^#(\d+) (CACHED|DONE)/gm)];
  return Object.fromEntries(states.map(([, number, state]) => [names.get(number) ?? number, state]));
}

/** A change right after a file was looked at could go unnoticed, so only files that have been left alone are trusted. */
async function settle(directory: string): Promise<void> {
  const changedMs = statSync(directory).ctimeMs;
  const tickMs = changedMs % 1000 === 0 ? 2000 : 100;
  await delay(Math.max(0, changedMs + 2 * tickMs - Date.now()));
}

/** Everything below a directory with what would show that it was written to. */
function footprint(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((name) => `${name} ${statSync(join(root, name)).ino} ${statSync(join(root, name)).ctimeMs}`)
    .sort();
}

const whyNoTrace = ((): string | null => {
  try {
    execFileSync("strace", ["-f", "-o", "/dev/null", "true"], { stdio: "ignore" });
    return null;
  } catch {
    return "strace is missing or may not trace";
  }
})();

/** A build under strace: what it opens for reading in the context, once it has ended. */
function traced(path: string) {
  const log = at(`trace-${randomUUID()}`);
  const under = ["strace", "-f", "-y", "-o", log, "-e", "trace=open,openat,openat2,execve"];
  const lines = (): readonly string[] => readFileSync(log, "utf8").split("\n");
  const files = (line: string): readonly string[] => {
    const file = /= \d+<(.*)>$/.exec(line)?.[1] ?? "";
    return file.startsWith(`${path}/`) && !statSync(file).isDirectory() ? [relative(path, file)] : [];
  };
  return {
    states: statesOf([path], { under }),
    opened: () => [...new Set(lines().flatMap(files))].sort(),
    programs: () => lines().filter((line) => line.includes("execve(")).length,
  };
}

const dockerfile = `FROM base AS one
COPY a.txt src/ /in/
RUN cat /in/* >/one.out
FROM base AS two
COPY b.txt /
RUN cat /b.txt >/two.out
FROM base
COPY --from=one /one.out /
COPY --from=two /two.out /
RUN cat /one.out /two.out >/all.out
`;
const context = (): string =>
  writeContext(at("context"), { Dockerfile: dockerfile, "a.txt": "a\n", "src/c.txt": "c\n", "b.txt": "b\n" });

describe.skipIf(needsRoot !== null)(
  `a build is made again${needsRoot === null ? "" : ` (skipped: ${needsRoot})`}`,
  () => {
    test("without changes: no step runs, no file of the context is opened, nothing is written to the store", async ({
      skip,
    }) => {
      if (whyNoTrace !== null) skip(whyNoTrace);
      const path = context();
      await settle(join(path, "b.txt"));
      const first = traced(path);
      expect(new Set(Object.values(await first.states))).toEqual(new Set(["DONE"]));
      expect(first.opened()).toEqual(["Dockerfile", "a.txt", "b.txt", "src/c.txt"]);
      const before = footprint(at("store"));
      const again = traced(path);
      expect(Object.keys(await again.states).sort()).toEqual(Object.keys(await first.states).sort());
      expect(new Set(Object.values(await again.states))).toEqual(new Set(["CACHED"]));
      expect(again.opened()).toEqual(["Dockerfile"]);
      expect(footprint(at("store"))).toEqual(before);
      expect(first.programs()).toBeGreaterThan(1);
      expect(again.programs()).toBe(1);
    });

    test("with a change: what depends on the changed file is made anew, and nothing else", async () => {
      const path = context();
      await statesOf([path]);
      writeFileSync(join(path, "b.txt"), "other\n");
      const states = await statesOf(["-o", `type=tar,dest=${at("out.tar")}`, path]);
      expect(states).toMatchObject({
        "COPY a.txt src/ /in/": "CACHED",
        "RUN cat /in/* >/one.out": "CACHED",
        "COPY b.txt /": "DONE",
        "RUN cat /b.txt >/two.out": "DONE",
        "COPY --from=one /one.out /": "CACHED",
        "COPY --from=two /two.out /": "DONE",
        "RUN cat /one.out /two.out >/all.out": "DONE",
      });
      const members = await readTarMembers(readFileSync(at("out.tar")));
      expect(members.find(({ header }) => header.name === "all.out")?.content.toString()).toBe("a\nc\nother\n");
    });

    test("with files that are new but equal: nothing is made anew", async () => {
      const path = context();
      const first = await statesOf([path]);
      utimesSync(join(path, "a.txt"), 1000, 1000);
      writeFileSync(join(path, "copy"), "b\n");
      renameSync(join(path, "copy"), join(path, "b.txt"));
      writeFileSync(join(path, "unused.txt"), "not copied");
      const again = await statesOf([path]);
      expect(Object.keys(again).sort()).toEqual(Object.keys(first).sort());
      expect(new Set(Object.values(again))).toEqual(new Set(["CACHED"]));
    });

    test("with a change back: what was made before is found again", async () => {
      const path = context();
      await statesOf([path]);
      writeFileSync(join(path, "a.txt"), "changed\n");
      expect(await statesOf([path])).toMatchObject({ "COPY a.txt src/ /in/": "DONE" });
      writeFileSync(join(path, "a.txt"), "a\n");
      expect(new Set(Object.values(await statesOf([path])))).toEqual(new Set(["CACHED"]));
    });
  },
);

describe.skipIf(needsRoot !== null)(
  `several builds at once${needsRoot === null ? "" : ` (skipped: ${needsRoot})`}`,
  () => {
    test("on one new store, one pruning it meanwhile: each gives the right result", async () => {
      const path = writeContext(at("shared"), {
        Dockerfile:
          "FROM base\nARG WHO\nCOPY data /data\nRUN echo $WHO | cat - /data >/out\nCOPY --from=base /etc/group /\n",
        data: "data\n",
      });
      const build = async (who: string): Promise<string> => {
        const flags = [...baseFlags, "--build-arg", `WHO=${who}`, "-t", `demo/${who}`, "-o", "type=image", "-o", "-"];
        const { stdout } = await runCliWell([...flags, path], options());
        const members = await readTarMembers(stdout);
        const content = (name: string): string =>
          members.find(({ header }) => header.name === name)?.content.toString() ?? "";
        expect(content("group")).toMatch(/^root:/);
        return content("out");
      };
      const prune = async (): Promise<void> => {
        const { code, stderr } = await runCli(["prune", "--all"], options());
        expect(code, stderr).toBe(0);
      };
      const who = ["you", "me", "you", "them"];
      const [results] = await Promise.all([Promise.all(who.map(build)), prune()]);
      expect(results).toEqual(who.map((name) => `${name}\ndata\n`));
      const { stdout } = await runCliWell(["images"], options());
      for (const name of who) expect(stdout.toString()).toContain(`demo/${name}`);
      await prune();
      expect(await build("you")).toBe("you\ndata\n");
    });
  },
);
