import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { ReadStream } from "node:tty";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { libcFunction } from "../../src/sys/native.ts";
import { openTerminal, setTerminalSize } from "../../src/sys/terminal.ts";
import { baseFlags, type CliResult, cliProgram, runCli, runCliWell, startCli } from "../support/cli.ts";
import { findProcesses } from "../support/find-processes.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { writeContext } from "../support/write-context.ts";

const shared = useSharedDirectory();
const at = (name: string): string => join(shared.path, name);
const options = (): { root: string } => ({ root: at("store") });
const tsbuild = (...args: readonly string[]): Promise<CliResult> => runCli(args, options());
const outputOf = async (...args: readonly string[]): Promise<string> =>
  (await runCliWell(args, options())).stdout.toString();

const dockerfile = `FROM base
RUN mkdir -p /data /srv && echo seeded >/data/file && chown 7:8 /data && ln -s /data /link
ENV A=image B=image
WORKDIR /srv
VOLUME /data
CMD ["echo", "default"]
`;

beforeAll(async () => {
  if (needsRoot !== null) return;
  const context = writeContext(at("context"), { Dockerfile: dockerfile });
  await runCliWell(["build", "-q", "-t", "app", ...baseFlags, context], options());
});

/** Resolves when a process has written `text` to standard output; rejects when it ends without. */
function written(child: ChildProcess, text: string): Promise<void> {
  let all = "";
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      all += chunk.toString();
      if (all.includes(text)) resolve();
    });
    child.once("exit", () => reject(new Error(`ended without ${text}: ${all}`)));
  });
}

const endOf = async (child: ChildProcess): Promise<number | null> => (await once(child, "exit"))[0] as number | null;

describe.skipIf(needsRoot !== null)(`containers${needsRoot === null ? "" : ` (skipped: ${needsRoot})`}`, () => {
  test("are what their image says, and nothing is left of them with --rm", async () => {
    const { stdout } = await runCliWell(["run", "--rm", "app"], options());
    expect(stdout.toString()).toBe("default\n");
    const script = "pwd; id -u; echo $A $B $HOME; cat /link/file; stat -c %u:%g /data; umask; cat | wc -c; tty";
    const result = await runCli(["run", "--rm", "app", "sh", "-c", script], { ...options(), stdin: "not passed on" });
    expect(result.stdout.toString()).toBe("/srv\n0\nimage image /root\nseeded\n7:8\n0022\n0\nnot a tty\n");
    expect(await outputOf("ps", "-aq")).toBe("");
    expect(readdirSync(at("store/containers"))).toEqual(["lock"]);
  });

  test("are what the command line says", async () => {
    writeFileSync(at("env"), "# comment\nF=file\nB=file\n");
    const flags = ["-u", "1000:7", "-w", "/made/here", "-e", "A=cli", "-e", "MINE", "-e", "B", "--env-file", at("env")];
    const program = ["--entrypoint", "sh", "app", "-c", "id -u; id -g; pwd; echo $A-$B-$F-$MINE; hostname"];
    const { stdout } = await runCliWell(["run", "--rm", ...flags, "-h", "box", ...program], {
      ...options(),
      environment: { MINE: "caller" },
    });
    expect(stdout.toString()).toBe("1000\n7\n/made/here\ncli--file-caller\nbox\n");
  });

  test("show the host what is asked for, and no more can be written", async () => {
    mkdirSync(at("host"), { recursive: true });
    writeFileSync(at("host/file"), "of the host\n");
    const script = `cat /ro/file; echo x >/ro/file || echo protected; echo made >/rw/made; echo x >/new || echo protected;
      echo x >/tmp/new && echo memory; ls /sys/class/net; grep -c "10.1.2.3.*other" /etc/hosts; ulimit -n`;
    const { stdout } = await runCliWell(
      [
        ...[
          "run",
          "--rm",
          "-v",
          `${at("host")}:/ro:ro`,
          "-v",
          `${at("host")}:/rw`,
          "--read-only",
          "--tmpfs",
          "/tmp:size=1m",
        ],
        ...["--network", "none", "--add-host", "other:10.1.2.3", "--ulimit", "nofile=64", "app", "sh", "-c", script],
      ],
      options(),
    );
    expect(stdout.toString()).toBe("of the host\nprotected\nprotected\nmemory\nlo\n1\n64\n");
    expect(readFileSync(at("host/file"), "utf8")).toBe("of the host\n");
    expect(readFileSync(at("host/made"), "utf8")).toBe("made\n");
  });

  test.each<readonly [string, number, readonly string[]]>([
    ["what the program exits with", 7, ["app", "sh", "-c", "exit 7"]],
    ["127 for a program that is not there", 127, ["app", "nothing"]],
    ["126 for what cannot be executed", 126, ["app", "/data/file"]],
    ["125 for a flag that is unknown", 125, ["--nothing", "app"]],
    ["125 for a directory that is not there", 125, ["-v", "/not/there:/place", "app"]],
    ["125 for a terminal that is not there", 125, ["-it", "app"]],
  ])("exit with %s", async (_, code, args) => {
    const result = await tsbuild("run", "--rm", ...args);
    expect([result.code, result.stdout.toString()]).toEqual([code, ""]);
  });

  test("get standard input with -i, byte for byte and with its end", async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
    const result = await runCli(["run", "--rm", "-i", "app", "cat"], { ...options(), stdin: bytes });
    expect(result.code).toBe(0);
    expect(result.stdout.equals(bytes)).toBe(true);
    const unread = await runCli(["run", "--rm", "-i", "app", "true"], { ...options(), stdin: bytes });
    expect(unread.code).toBe(0);
  });

  test("cannot reach a file of the host through their standard input", async () => {
    writeFileSync(at("secret"), "as it was\n");
    const script = "cat >/dev/null; echo changed >/proc/self/fd/0; readlink /proc/self/fd/0";
    const child = spawn(
      "/bin/sh",
      [
        "-c",
        `exec "$0" "$@" <"${at("secret")}"`,
        process.execPath,
        cliProgram,
        "run",
        "--rm",
        "-i",
        "app",
        "sh",
        "-c",
        script,
      ],
      { env: { PATH: process.env.PATH, TSBUILD_ROOT: at("store") }, stdio: ["ignore", "pipe", "ignore"] },
    );
    const [output] = await Promise.all([buffer(child.stdout), endOf(child)]);
    expect(output.toString()).toMatch(/^pipe:/);
    expect(readFileSync(at("secret"), "utf8")).toBe("as it was\n");
  });

  test("get a terminal with -t, and the caller's is as it was", async () => {
    const { master, slave } = openTerminal("/dev/pts");
    setTerminalSize(master, 100, 30);
    const ioctl = libcFunction("int ioctl(int fd, unsigned long request, void *argument)");
    const modes = (): string => {
      const termios = Buffer.alloc(64);
      ioctl(slave, 0x5401, termios); // TCGETS
      return termios.toString("hex");
    };
    const before = modes();
    const script = `tty; stty size; test -c /dev/console && echo console; echo $TERM
      trap 'stty size; exit 5' WINCH; echo ready; while read line; do echo "got $line"; done`;
    const child = spawn(process.execPath, [cliProgram, "run", "--rm", "-it", "app", "sh", "-c", script], {
      env: { PATH: process.env.PATH, TSBUILD_ROOT: at("store") },
      stdio: [slave, slave, slave],
    });
    let shown = "";
    const screen = new ReadStream(master);
    screen.on("data", (chunk: Buffer) => {
      shown += chunk.toString();
    });
    screen.on("error", () => {});
    const end = endOf(child);
    await vi.waitFor(() => expect(shown).toContain("ready"), 20_000);
    expect(shown).toBe("/dev/pts/0\r\n30 100\r\nconsole\r\nxterm\r\nready\r\n");
    expect(modes()).not.toBe(before);
    screen.write("typed\r");
    await vi.waitFor(() => expect(shown).toContain("got typed\r\n"), 20_000);
    setTerminalSize(master, 90, 20);
    child.kill("SIGWINCH");
    await vi.waitFor(() => expect(shown).toContain("20 90"), 20_000);
    screen.write("\r");
    expect(await end).toBe(5);
    expect(modes()).toBe(before);
    screen.destroy();
    closeSync(slave);
  });

  test("whose terminal goes away are told so", async () => {
    const { master, slave } = openTerminal("/dev/pts");
    const child = spawn(
      process.execPath,
      [cliProgram, "run", "-it", "--name", "hung-up", "app", "sh", "-c", "read line; exit 6"],
      {
        env: { PATH: process.env.PATH, TSBUILD_ROOT: at("store") },
        stdio: [slave, slave, "ignore"],
      },
    );
    closeSync(slave);
    const end = endOf(child);
    await vi.waitFor(async () => expect(await outputOf("ps", "--format", "{{.State}}")).toBe("running\n"), 20_000);
    closeSync(master);
    await end;
    expect(await outputOf("ps", "-a", "--format", "{{.Status}}")).toMatch(/^Exited \(6\) /);
    await outputOf("rm", "hung-up");
  });

  test.each<readonly [string, readonly NodeJS.Signals[], number]>([
    ["are passed on to the program", ["SIGTERM"], 42],
    ["that it ignores three times end it", ["SIGINT", "SIGINT", "SIGINT"], 137],
  ])("signals %s", async (_, signals, code) => {
    const script = "trap 'exit 42' TERM; trap '' INT; echo ready; while :; do sleep 0.1; done";
    const child = startCli(["run", "--rm", "app", "sh", "-c", script], options());
    const end = endOf(child);
    await written(child, "ready");
    for (const signal of signals) {
      child.kill(signal);
      // the kernel makes one of two equal signals that wait
      await vi.waitFor(() => expect(pendingSignals(child.pid ?? 0)).toBe(0n));
    }
    expect(await end).toBe(code);
  });

  test("end when nobody reads what they write any more", async () => {
    const child = startCli(["run", "--rm", "app", "yes"], options());
    const end = endOf(child);
    await written(child, "y\n");
    child.stdout?.destroy();
    expect(await end).toBe(141);
    expect(await outputOf("ps", "-aq")).toBe("");
  });
});

/** Signals that wait for a process. */
function pendingSignals(pid: number): bigint {
  const status = existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, "utf8") : "";
  return BigInt(`0x${/^ShdPnd:\t(\w+)$/m.exec(status)?.[1] ?? "0"}`);
}

describe.skipIf(needsRoot !== null)(`kept containers${needsRoot === null ? "" : ` (skipped: ${needsRoot})`}`, () => {
  test("can become images: what they changed is the layer a RUN would have made", async () => {
    const script = "echo new >/srv/new && touch -d @1000000000 /srv/new /srv && rm /link";
    await outputOf("run", "--name", "changed", "-e", "C=run", "app", "sh", "-c", `${script} && echo lost >/data/lost`);
    const imageId = await outputOf(
      "commit",
      "-a",
      "me",
      "-m",
      "by hand",
      "-c",
      'CMD ["cat","new"]',
      "changed",
      "app:2",
    );
    expect(imageId).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect(await outputOf("run", "--rm", "app:2", "sh", "-c", "echo $A $C; ls /data; ls /link || echo gone")).toBe(
      "image run\nfile\ngone\n",
    );
    const context = writeContext(at("same"), {
      Dockerfile: `FROM app\nRUN ${script}\n`,
    });
    await outputOf("build", "-q", "-t", "same", context);
    const topmost = async (name: string): Promise<string> =>
      JSON.parse(await outputOf("inspect", name))[0].RootFS.Layers.at(-1);
    expect(await topmost("app:2")).toBe(await topmost("same"));
    const history = await outputOf("history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Comment}}", "app:2");
    expect(history.split("\n")[0]).toBe(`sh -c ${script} && echo lost >/data/lost|by hand`);
    await outputOf("rm", "changed");
  });

  test("are listed, show what they wrote, and go", async () => {
    expect(
      (await tsbuild("run", "--name", "talker", "app", "sh", "-c", "echo one; echo two >&2; echo three; exit 3")).code,
    ).toBe(3);
    expect((await tsbuild("run", "--name", "talker", "app")).stderr).toContain('container name "talker": taken by');
    expect(await outputOf("ps", "-a", "--format", "{{.Names}} {{.Image}} {{.Status}}")).toMatch(
      /^talker app Exited \(3\) .* ago\n$/,
    );
    expect(await outputOf("ps", "-q", "--filter", "exited=0")).toBe("");
    const id = (await outputOf("ps", "-aq", "--no-trunc")).trim();
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const logs = await tsbuild("logs", id.slice(0, 5));
    expect([logs.stdout.toString(), logs.stderr]).toEqual(["one\nthree\n", "two\n"]);
    // what comes through two pipes has no order
    expect(await outputOf("logs", "--tail", "3", "-t", "talker")).toMatch(
      /^(?:\d{4}-\d\d-\d\dT[\d:.]+Z (?:one|three)\n){2}$/,
    );
    expect((await tsbuild("rmi", "app")).stderr).toContain("talker");
    expect(await outputOf("rm", "talker")).toBe("talker\n");
    expect((await tsbuild("rm", "-f", "talker")).code).toBe(0);
    expect(await outputOf("ps", "-aq")).toBe("");
  });

  test("that run are followed, hold up no prune, and are killed with rm -f", async () => {
    const child = startCli(["run", "--name", "runner", "app", "sh", "-c", "echo ready; exec sleep 1000"], options());
    const end = endOf(child);
    await written(child, "ready");
    const follower = startCli(["logs", "-f", "runner"], options());
    const followed = endOf(follower);
    await written(follower, "ready");
    expect(await outputOf("ps", "--format", "{{.Names}} {{.State}}")).toBe("runner running\n");
    for (const args of [
      ["rm", "runner"],
      ["commit", "runner"],
    ]) {
      const refused = await tsbuild(...args);
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("is running")]);
    }
    await outputOf("prune", "--containers");
    expect(await outputOf("ps", "-q", "--filter", "name=runner")).not.toBe("");
    expect(await outputOf("rm", "-f", "runner")).toBe("runner\n");
    expect(await end).toBe(137);
    expect(await followed).toBe(0);
    expect(await outputOf("ps", "-aq")).toBe("");
  });

  test("whose tsbuild was killed have ended, and nothing of them runs", async () => {
    const marker = randomUUID();
    const run = (...flags: readonly string[]): ChildProcess =>
      startCli(["run", ...flags, "app", "sh", "-c", `echo ready; sleep 1000 & sleep 1000; : ${marker}`], options());
    for (const child of [run("--name", "killed"), run("--rm")]) {
      const end = endOf(child);
      await written(child, "ready");
      child.kill("SIGKILL");
      await end;
    }
    await vi.waitFor(() => expect(findProcesses(marker)).toEqual([]), 10_000);
    expect(await outputOf("ps", "-a", "--filter", "name=killed", "--format", "{{.Status}}")).toBe("Exited (137)\n");
    expect(await outputOf("logs", "killed")).toBe("ready\n");
    await outputOf("commit", "killed", "unchanged");
    expect(await outputOf("diff", "app", "unchanged")).toBe("");
    await outputOf("rm", "killed");
    // the other one is swept by the next
    await outputOf("run", "--rm", "app");
    expect(await outputOf("ps", "-aq")).toBe("");
  });
});
