import { chmodSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { rejectionOf } from "../../support/thrown-by.ts";
import { emptySpec, path, type Sandbox, treeOf } from "./sandbox.ts";

/** Whether a process with this text among its arguments runs on this machine. */
const isRunning = (text: string): boolean =>
  readdirSync("/proc").some((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(text);
    } catch {
      return false;
    }
  });

/** What a Runtime holds to: how its process runs, and how it ends. */
export function describeProcess(sandbox: Sandbox): void {
  const { newDirectory, directoryWith, run, shell, outputOf } = sandbox;
  describe("process", () => {
    test("is the first one of its namespace and sees no other", async () => {
      expect(await outputOf("echo $$; ls -d /proc/[0-9]*")).toMatch(/^1\n\/proc\/1(\n\/proc\/\d+)?$/);
    });

    test.each([0, 1, 3, 255])("ends with exit code %i", async (code) => {
      expect((await shell(`exit ${code}`)).status).toEqual({ exitCode: code, signal: null });
    });

    test("writes bytes to two streams, whole also when it ends at once", async () => {
      const { stdout, stderr } = await shell("printf 'a\\377b'; printf err >&2");
      expect([stdout, stderr]).toEqual(["a\xffb", "err"]);
      expect((await shell("head -c 3000000 /dev/zero")).stdout).toHaveLength(3_000_000);
    });

    test("can open its streams by name, also as a user", async () => {
      const { stdout, stderr } = await shell("echo a > /dev/stdout; echo b > /dev/stderr", { user: "4242" });
      expect([stdout, stderr]).toEqual(["a\n", "b\n"]);
    });

    test("reads nothing and has no terminal", async () => {
      expect(await outputOf("wc -c; (: < /dev/tty) 2>/dev/null || echo none")).toBe("0\nnone");
    });

    test("inherits no descriptor but its three streams", async () => {
      // the shell forks for the loop only, and opens nothing
      const listing = await outputOf("for f in /proc/1/fd/*; do readlink $f || true; done");
      expect(listing.split("\n").map((link) => link.replace(/\d+/, "N"))).toEqual([
        "/dev/null",
        "pipe:[N]",
        "pipe:[N]",
      ]);
    });

    test("is gone with everything it started when it ends", async () => {
      const marker = `9${process.pid}7`;
      const start = Date.now();
      await shell(`(setsid sleep ${marker} &) ; (trap '' TERM; sleep ${marker}) & exit 0`);
      expect(Date.now() - start).toBeLessThan(30_000);
      expect(isRunning(`sleep\0${marker}`)).toBe(false);
    });

    test("is gone with everything it started when it is cancelled", async () => {
      const marker = `8${process.pid}7`;
      const controller = new AbortController();
      const args = ["/bin/sh", "-c", `trap '' TERM; (setsid sleep ${marker} &); echo started; sleep ${marker}`];
      const running = run(args, {}, controller.signal);
      await expect.poll(() => isRunning(`sleep\0${marker}`)).toBe(true);
      const start = Date.now();
      controller.abort();
      expect(await rejectionOf(running)).toMatchObject({ code: "BUILD_CANCELLED" });
      expect(Date.now() - start).toBeLessThan(30_000);
      expect(isRunning(`sleep\0${marker}`)).toBe(false);
    });

    test("does not start when the build is already cancelled", async () => {
      const { upper, ...rest } = { upper: newDirectory("upper"), work: newDirectory("work") };
      const spec = { ...emptySpec, args: ["/bin/touch", "/x"], lowers: [sandbox.base], upper, ...rest };
      const never = { output: () => {} };
      expect(await rejectionOf(sandbox.runtime.run(spec, never, AbortSignal.abort()))).toMatchObject({
        code: "BUILD_CANCELLED",
      });
      expect(treeOf(upper)).toEqual([]);
    });

    test.each([
      [["/no/such/program"], 127, '"/no/such/program"'],
      [["no-such-program"], 127, "not found in PATH"],
      [["/etc/passwd"], 126, "permission denied"],
      [["/"], 126, "permission denied"],
      [[""], 127, "not found"],
    ])("%j cannot be executed: status %i", async (args, exitCode, text) => {
      const error = await rejectionOf(run(args));
      expect(error).toMatchObject({ code: "RUN_FAILED", details: { exitCode } });
      expect((error as Error).message).toContain(text);
    });

    test("is found in PATH of the spec, absolute directories only", async () => {
      const program = directoryWith({ "opt/greet": "#!/bin/sh\necho hello\n" });
      chmodSync(join(program, "opt/greet"), 0o755);
      const over = { lowers: [program, sandbox.base], env: ["PATH=.:/nowhere:/opt"] };
      expect((await run(["greet"], over)).stdout).toBe("hello\n");
      const relative = await rejectionOf(run(["greet"], { ...over, env: ["PATH=.:opt"], cwd: "/opt" }));
      expect(relative).toMatchObject({ code: "RUN_FAILED", details: { exitCode: 127 } });
    });

    test("gets arguments and environment byte by byte", async () => {
      const { stdout } = await run(["/bin/sh", "-c", 'printf "%s|%s|%s" "$0" "$1" "$X"', "", "a\udcff\n"], {
        env: [`PATH=${path}`, "X=\udcfe=y"],
      });
      expect(stdout).toBe("|a\xff\n|\xfe=y");
    });

    test("eight at a time do not meet", async () => {
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          shell(`echo ${index} > /own; hostname host-${index} 2>/dev/null; cat /own; ps | grep -c slee[p]`),
        ),
      );
      expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 8 }, (_, index) => `${index}\n0\n`));
    });
  });
}
