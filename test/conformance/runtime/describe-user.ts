import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeNode } from "../../../src/sys/files.ts";
import { rejectionOf } from "../../support/thrown-by.ts";
import type { Sandbox } from "./sandbox.ts";

/** What a Runtime holds to: who a step runs as. */
export function describeUser(sandbox: Sandbox): void {
  const { directoryWith, shell, outputOf } = sandbox;
  describe("user", () => {
    const database = (): string =>
      directoryWith({
        "etc/passwd": "root:x:0:0::/root:/bin/sh\n# comment\napp:x:1000:1001::/srv:/bin/sh\n77:x:1077:1077::/:\n",
        "etc/group": "root:x:0:\napp:x:1001:\nextra:x:2000:root,app\nother:x:2001:app\n",
      });

    test.each([
      ["", "0:0:0 2000"],
      ["root", "0:0:0 2000"],
      ["0:0", "0:0:0"],
      ["app", "1000:1001:1001 2000 2001"],
      ["1000", "1000:1001:1001 2000 2001"],
      ["app:extra", "1000:2000:2000"],
      ["app:7", "1000:7:7"],
      ["4242", "4242:0:0"],
      ["4242:4243", "4242:4243:4243"],
      ["77", "77:0:0"],
    ])("%j is %s", async (user, expected) => {
      const lowers = [database(), sandbox.base];
      expect(await outputOf('echo "$(id -u):$(id -g):$(id -G)"', { user, lowers })).toBe(expected);
    });

    test.each(["ghost", "app:ghost", "4294967295", "-1", "app:4294967295"])("%j does not exist", async (user) => {
      expect(await rejectionOf(shell("true", { user, lowers: [database(), sandbox.base] }))).toMatchObject({
        code: "RUN_USER_NOT_FOUND",
      });
    });

    test("numbers need no database", async () => {
      const bin = {
        kind: "bind",
        source: join(sandbox.base, "bin"),
        subPath: "/",
        target: "/bin",
        readOnly: true,
      } as const;
      const over = { lowers: [], mounts: [bin], user: "12:13" };
      expect(await outputOf("id", over)).toBe("uid=12 gid=13 groups=13");
    });

    test("links of the database are followed inside the root, to files only", async () => {
      const moved = directoryWith({ "etc/passwd": "-> /../run/users", "run/users": "app:x:5:6::/:/bin/sh\n" });
      expect(await outputOf("id -u", { lowers: [moved, sandbox.base], user: "app" })).toBe("5");
      for (const target of ["/proc/self/environ", "/proc/self/fd/3", "/dev/zero", "/etc"]) {
        const odd = directoryWith({ "etc/passwd": `-> ${target}` });
        expect(await rejectionOf(shell("true", { lowers: [odd, sandbox.base], user: "app" }))).toMatchObject({
          code: "RUN_USER_NOT_FOUND",
        });
      }
    });

    test("a database that is a fifo or too large is refused at once", async () => {
      const fifo = directoryWith({ "etc/": "" });
      makeNode(Buffer.from(join(fifo, "etc/passwd")), "fifo", 0o644, 0, 0);
      const large = directoryWith({ "etc/passwd": "" });
      writeFileSync(join(large, "etc/passwd"), Buffer.alloc((10 << 20) + 1, "#"));
      for (const lower of [fifo, large]) {
        expect(await rejectionOf(shell("true", { lowers: [lower, sandbox.base], user: "app" }))).toMatchObject({
          code: "RUN_USER_NOT_FOUND",
        });
      }
    });
  });
}
