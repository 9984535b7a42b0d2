import { describe, expect, test } from "vitest";
import { rejectionOf } from "../../support/thrown-by.ts";
import { path, type Sandbox, treeOf } from "./sandbox.ts";

/** What a Runtime holds to: the environment, the limits and the working directory of a step. */
export function describeEnvironment(sandbox: Sandbox): void {
  const { newDirectory, directoryWith, run, shell, outputOf } = sandbox;
  describe("environment and limits", () => {
    test("nothing of the host's environment is there, and HOME is the user's", async () => {
      process.env.HOSTCANARY = "token";
      try {
        const { stdout } = await run(["/usr/bin/env"], { env: [`PATH=${path}`, "A=1"] });
        expect(stdout.trimEnd().split("\n").sort()).toEqual(["A=1", "HOME=/root", `PATH=${path}`]);
      } finally {
        delete process.env.HOSTCANARY;
      }
    });

    test.each([
      ["", "/root"],
      ["user", "/home/user"],
      ["4242", "/"],
    ])("HOME of user %j is %s, unless it is set", async (user, home) => {
      expect(await outputOf("echo $HOME", { user })).toBe(home);
      expect(await outputOf("env | grep ^HOME", { user, env: [`PATH=${path}`, "HOME="] })).toBe(`HOME=${home}`);
      expect(await outputOf("echo $HOME", { user, env: [`PATH=${path}`, "HOME=/set"] })).toBe("/set");
    });

    test("umask and limits do not depend on the caller", async () => {
      expect(await outputOf("umask; ulimit -Sn; ulimit -c; ulimit -s")).toBe("0022\n1024\n0\n8192");
    });

    test("limits of the spec are set; unknown ones are refused", async () => {
      expect(await outputOf("ulimit -Sn; ulimit -Hn", { ulimits: [{ name: "nofile", soft: 33, hard: 44 }] })).toBe(
        "33\n44",
      );
      const unknown = { ulimits: [{ name: "__proto__", soft: 1, hard: 1 }] };
      expect(await rejectionOf(shell("true", unknown))).toMatchObject({ code: "USAGE_INVALID" });
    });

    test("working directory is made for its user, inside the root", async () => {
      expect(await outputOf("pwd; stat -c %u:%g:%a /new /new/deep", { cwd: "/new/deep", user: "user" })).toBe(
        "/new/deep\n1000:1000:755\n1000:1000:755",
      );
    });

    test("working directory through symlinks stays inside the root", async () => {
      const victim = newDirectory("victim");
      const lowers = [directoryWith({ w: `-> ${victim}`, up: "-> ../../../../x" }), sandbox.base];
      expect(await outputOf("pwd", { lowers, cwd: "/w/new" })).toBe(`${victim}/new`);
      expect(await outputOf("pwd", { lowers, cwd: "/up" })).toBe("/x");
      expect(treeOf(victim)).toEqual([]);
    });

    test.each(["/proc/self/fd/3", "/proc/1/fd/7", "/dev/fd/4", "/etc/passwd", "/proc/self/fd/5/x"])(
      "working directory %s is refused",
      async (cwd) => {
        const outcome = await run(["/bin/pwd"], { cwd }).catch((error: unknown) => error);
        expect(outcome).toMatchObject({ code: expect.stringMatching(/^RU/) });
      },
    );
  });
}
