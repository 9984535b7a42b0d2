import { PassThrough, Readable } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import type { RunningProcess } from "../../../src/sandbox/runtime.ts";
import { rejectionOf } from "../../support/thrown-by.ts";
import type { Sandbox } from "./sandbox.ts";

/** A `started` that does something to the process again and again, until the test is over. */
function repeatedly(work: (process: RunningProcess) => void): (process: RunningProcess) => void {
  return (process) => {
    const timer = setInterval(() => work(process), 50);
    onTestFinished(() => clearInterval(timer));
  };
}

/** What a Runtime holds to: standard input, terminals, and what can be done to a process while it runs. */
export function describeStreams({ run, shell }: Sandbox): void {
  const size = { columns: 100, rows: 30 };
  const ok = { exitCode: 0, signal: null };

  describe("input", () => {
    test("is passed on, byte for byte and with its end", async () => {
      const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7) % 256));
      const { status, stdout } = await run(["cat"], {}, undefined, { input: Readable.from([bytes]) });
      expect(status).toEqual(ok);
      expect(Buffer.from(stdout, "latin1").equals(bytes)).toBe(true);
    });

    test("can be opened by name, also by a user", async () => {
      const input = Readable.from([Buffer.from("text")]);
      expect((await shell("cat /dev/stdin", { user: "4242" }, { input })).stdout).toBe("text");
    });

    test("that is not read and does not end keeps no process from ending", async () => {
      const input = new PassThrough();
      input.write(Buffer.alloc(1 << 20));
      expect((await run(["true"], {}, undefined, { input })).status).toEqual(ok);
      expect(input.isPaused()).toBe(true);
    });

    test("that breaks is at its end", async () => {
      const input = new PassThrough();
      const running = shell("cat", {}, { input, started: () => void input.destroy(new Error("broken")) });
      expect((await running).status).toEqual(ok);
    });
  });

  describe("a terminal", () => {
    test("is all three streams and the one of the session, and belongs to the user", async () => {
      const script =
        "tty; stty size; for fd in 0 1 2; do test -t $fd || echo $fd; done; echo own >/dev/tty; echo err >&2";
      const { status, stdout, stderr } = await shell(script, { user: "4242" }, { terminal: size });
      expect([status, stdout, stderr]).toEqual([ok, "/dev/pts/0\r\n30 100\r\nown\r\nerr\r\n", ""]);
    });

    test("is the console", async () => {
      const script = "test -c /dev/console && echo to the console >/dev/console";
      expect((await shell(script, {}, { terminal: size })).stdout).toBe("to the console\r\n");
    });

    test("is shown whole also when the process ends at once", async () => {
      const { stdout } = await shell("yes 123456789 | head -n 20000", {}, { terminal: size });
      expect(stdout).toBe("123456789\r\n".repeat(20_000));
    });

    test("is typed into, with an end of input", async () => {
      const input = new PassThrough();
      const script = "read line; echo got $line; read line || exit 3";
      const started = (): void => void input.write("typed\r\x04");
      const { status, stdout } = await shell(script, {}, { terminal: size, input, started });
      expect(status.exitCode).toBe(3);
      expect(stdout).toContain("got typed\r\n");
    });

    test("hangs up when its input ends", async () => {
      const input = new PassThrough();
      const running = shell("read line; exit 6", {}, { terminal: size, input, started: () => void input.end() });
      expect((await running).status).toEqual({ exitCode: 6, signal: null });
    });

    test("gets another size", async () => {
      const script = "trap 'stty size; exit' WINCH; while :; do sleep 0.1; done";
      // the shell may not wait for it yet, and only a change is told
      let rows = size.rows;
      const { stdout } = await shell(
        script,
        {},
        {
          terminal: size,
          started: repeatedly((process) => process.resize({ columns: 90, rows: ++rows })),
        },
      );
      expect(stdout).toMatch(/^\d+ 90\r\n$/);
    });

    test("ends with its process when that is cancelled", async () => {
      const abort = new AbortController();
      const more = { terminal: size, started: () => abort.abort() };
      const error = await rejectionOf(run(["sleep", "1000"], {}, abort.signal, more));
      expect(error).toMatchObject({ code: "BUILD_CANCELLED" });
    });
  });

  describe("while it runs", () => {
    test("a process is known by its number, and gets signals", async () => {
      const pids = new Set<number>();
      const script = "trap 'exit 42' TERM; while :; do sleep 0.1; done";
      const started = repeatedly((process) => {
        pids.add(process.pid);
        process.kill("SIGTERM");
      });
      expect((await shell(script, {}, { started })).status).toEqual({ exitCode: 42, signal: null });
      expect([...pids]).toEqual([expect.any(Number)]);
    });

    test("SIGKILL ends it, and signals to what has ended do nothing", async () => {
      const known: RunningProcess[] = [];
      const started = (process: RunningProcess): void => {
        known.push(process);
        process.kill("SIGKILL");
      };
      expect((await shell("sleep 1000", {}, { started })).status).toEqual({ exitCode: null, signal: "SIGKILL" });
      for (const process of known) process.kill("SIGKILL");
      expect((await shell("exit 0")).status).toEqual(ok);
    });
  });

  test("a read-only root can be changed where something is mounted, and nowhere else", async () => {
    const script = "touch /new /etc/new; touch /tmp/new && echo memory; test -d /made/here && pwd";
    const mounts = [{ kind: "tmpfs", target: "/tmp", sizeBytes: null }] as const;
    const { stdout, stderr } = await shell(script, { isRootReadOnly: true, mounts, cwd: "/made/here" });
    expect(stdout).toBe("memory\n/made/here\n");
    expect(stderr.match(/Read-only file system/g)).toHaveLength(2);
  });
}
