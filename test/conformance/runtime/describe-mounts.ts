import { chmodSync, chownSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SandboxMount } from "../../../src/sandbox/sandbox-spec.ts";
import { makeNode } from "../../../src/sys/files.ts";
import { rejectionOf } from "../../support/thrown-by.ts";
import { filesOf, type Sandbox, secret, treeOf } from "./sandbox.ts";

/** What a Runtime holds to: what is mounted in a step. */
export function describeMounts(sandbox: Sandbox): void {
  const { newDirectory, directoryWith, shell, outputOf } = sandbox;
  describe("mounts", () => {
    const bind = (source: string, target: string, readOnly = true, subPath = "/"): SandboxMount => ({
      kind: "bind",
      source,
      subPath,
      target,
      readOnly,
    });
    const overlay = (lowers: readonly string[], target: string, readOnly = true, subPath = "/"): SandboxMount => ({
      kind: "overlay",
      lowers,
      subPath,
      target,
      readOnly,
    });

    test("a read-only directory or file cannot be written to", async () => {
      const source = directoryWith({ f: "content", "d/g": "inner" });
      const mounts = [bind(source, "/m"), bind(source, "/one", true, "/f"), bind(source, "/two", true, "d")];
      const script = "cat /m/f /one /two/g; touch /m/f /m/new /one /two/g /m 2>&1 | grep -c 'Read-only'";
      expect(await outputOf(script, { mounts })).toBe("contentcontentinner5");
    });

    test("a writable directory is the host's own", async () => {
      const source = directoryWith({ f: "content" });
      await outputOf("echo new > /m/new; rm /m/f", { mounts: [bind(source, "/m", false)] });
      expect(treeOf(source)).toEqual(["new"]);
    });

    test("a stack of directories is shown merged, writes are discarded", async () => {
      const lowers = [directoryWith({ f: "top" }), directoryWith({ f: "low", "d/g": "low" })];
      const mounts = [overlay(lowers, "/ro"), overlay(lowers, "/rw", false), overlay(lowers, "/sub", false, "d")];
      const script =
        "cat /ro/f /ro/d/g; (touch /ro/x) 2>/dev/null || echo -ro; rm -r /rw/d; echo w > /rw/f; cat /rw/f; ls /rw /sub";
      const { status, stdout, upper } = await shell(script, { mounts });
      expect([status.exitCode, stdout]).toEqual([0, "toplow-ro\nw\n/rw:\nf\n\n/sub:\ng\n"]);
      expect(filesOf(upper)).toEqual([]);
      expect(treeOf(lowers[1] ?? "")).toEqual(["d", "d/g", "f"]);
      expect(readFileSync(join(lowers[0] ?? "", "f"), "utf8")).toBe("top");
    });

    test("one directory and none are stacks too", async () => {
      const mounts = [overlay([directoryWith({ f: "x" })], "/one"), overlay([], "/none"), overlay([], "/rw", false)];
      expect(await outputOf("ls /one /none; echo y > /rw/y; cat /rw/y", { mounts })).toBe("/none:\n\n/one:\nf\ny");
    });

    test("links in a source path end at the source", async () => {
      const victim = directoryWith({ token: "secret" });
      const source = directoryWith({
        all: "-> /",
        up: `-> ../../../../../..${victim}`,
        mark: "",
        out: `-> ${victim}`,
      });
      const script = "ls /m";
      expect(await outputOf(script, { mounts: [bind(source, "/m", false, "/all")] })).toBe("all\nmark\nout\nup");
      for (const subPath of ["/up", "out", "../..", "all/up"]) {
        const outcome = await shell("ls -R /m", { mounts: [bind(source, "/m", false, subPath)] }).catch(() => null);
        expect(outcome?.stdout ?? "").not.toContain("token");
      }
    });

    test("a source that is not there is an error", async () => {
      const mounts = [bind(directoryWith({}), "/m", true, "/no/such")];
      expect(await rejectionOf(shell("true", { mounts }))).toMatchObject({
        code: "RUN_FAILED",
        message: expect.stringContaining('"/no/such"'),
      });
    });

    test("device nodes and setuid bits in a source do not work", async () => {
      const source = directoryWith({});
      makeNode(Buffer.from(join(source, "null")), "char", 0o666, 1, 3);
      expect((await shell("cat /m/null", { mounts: [bind(source, "/m", false)] })).status.exitCode).toBe(1);
      expect(await outputOf("grep ' /m ' /proc/self/mounts", { mounts: [bind(source, "/m")] })).toMatch(
        / ro,nosuid,nodev/,
      );
    });

    test("a tmpfs has its size and is gone afterwards", async () => {
      const mounts = [{ kind: "tmpfs", target: "/t", sizeBytes: 4 << 20 }] as const;
      const { stdout, upper } = await shell("df -k /t | awk 'END{print $2}'; touch /t/x; stat -c %a /t", { mounts });
      expect(stdout).toBe("4096\n1777\n");
      expect(filesOf(upper)).toEqual([]);
    });

    test("shared memory has the size of the spec", async () => {
      expect(await outputOf("df -k /dev/shm | awk 'END{print $2}'", { shmSizeBytes: 1 << 20 })).toBe("1024");
    });

    test("a mount inside another one, and one over another", async () => {
      const mounts: SandboxMount[] = [
        { kind: "tmpfs", target: "/a", sizeBytes: null },
        bind(directoryWith({ f: "inner" }), "/a/b/c"),
        secret("/a/secret", "s"),
        bind(directoryWith({ g: "" }), "/a/b/c"),
      ];
      expect(await outputOf("ls /a /a/b/c; cat /a/secret", { mounts })).toBe("/a:\nb\nsecret\n\n/a/b/c:\ng\ns");
    });

    test("a file is read-only, has its mode and owner and is nowhere else", async () => {
      const token = "token-7d1f";
      const mounts = [secret("/run/secrets/s", token), secret("/x", "#!/bin/sh\necho ran\n", 0o555, 12, 13)];
      const script =
        "cat /run/secrets/s; stat -c ' %a %u:%g' /run/secrets/s /x; /x; (echo > /x) 2>/dev/null || echo ro; " +
        "grep -E ' /(x|run/secrets/s) ' /proc/self/mounts | cut -d' ' -f4 | cut -d, -f1-4";
      const { stdout, upper } = await shell(script, { mounts });
      expect(stdout).toBe(`${token} 400 0:0\n 555 12:13\nran\nro\nro,nosuid,nodev,noexec\nro,nosuid,nodev,relatime\n`);
      expect(filesOf(upper)).toEqual([]);
      expect((await shell("cat /run/secrets/s", { mounts, user: "1000" })).status.exitCode).toBe(1);
    });

    test("a socket of the host can be connected to", async () => {
      const socket = join(sandbox.directory, "agent.sock");
      const server = createServer((client) => client.end("hello\n"));
      await new Promise<void>((resolve) => server.listen(socket, resolve));
      chmodSync(socket, 0o600);
      chownSync(socket, 1000, 1000);
      try {
        const mounts = [{ kind: "socket", source: socket, target: "/run/agent.0" }] as const;
        const script = "stat -c '%F %a %u' /run/agent.0; nc local:/run/agent.0 < /dev/null";
        const { stdout } = await shell(script, { mounts, user: "1000", network: "none" });
        expect(stdout).toContain("socket 600 1000\n");
        expect(await new Promise((resolve) => connect(socket).once("data", (data) => resolve(String(data))))).toBe(
          "hello\n",
        );
      } finally {
        server.close();
      }
    });

    test.each(["/proc/sys", "/proc", "/link/x", "/proc/self/fd"])(
      "target %s inside /proc is refused",
      async (target) => {
        const lowers = [directoryWith({ link: "-> /proc/1" }), sandbox.base];
        const error = await rejectionOf(
          shell("true", { lowers, mounts: [{ kind: "tmpfs", target, sizeBytes: null }] }),
        );
        expect((error as { code: string }).code).toMatch(/^RU/);
      },
    );

    test.each(["/", "/..", "/link", "//."])("target %s is the root and refused", async (target) => {
      const lowers = [directoryWith({ link: "-> ../.." }), sandbox.base];
      const error = await rejectionOf(shell("true", { lowers, mounts: [{ kind: "tmpfs", target, sizeBytes: null }] }));
      expect(error).toMatchObject({ code: "RUN_FAILED" });
    });

    test("links in a target are followed inside the root", async () => {
      const victim = newDirectory("victim");
      const lowers = [directoryWith({ "run/secrets": `-> ${victim}/out`, m: `-> ${victim}` }), sandbox.base];
      const mounts = [secret("/run/secrets/s", "x"), bind(directoryWith({ f: "y" }), "/m/deep")];
      const { stdout, upper } = await shell("cat /run/secrets/s /m/deep/f", { lowers, mounts });
      expect(stdout).toBe("xy");
      expect(treeOf(victim)).toEqual([]);
      expect(filesOf(upper)).toEqual([]);
    });

    test("a file cannot be mounted over a directory, nor the reverse", async () => {
      const source = directoryWith({ f: "" });
      for (const mount of [bind(source, "/etc", true, "f"), bind(source, "/etc/passwd")]) {
        expect(await rejectionOf(shell("true", { mounts: [mount] }))).toMatchObject({ code: "RUN_FAILED" });
      }
    });
  });
}
