import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { filesOf, type Sandbox, treeOf } from "./sandbox.ts";

/** What a Runtime holds to: the overlay a step works on. */
export function describeRoot(sandbox: Sandbox): void {
  const { newDirectory, directoryWith, shell, outputOf } = sandbox;
  describe("root file system", () => {
    test("changes land in the upper directory, lower ones stay as they are", async () => {
      const lower = directoryWith({ "d/gone": "x", "d/kept": "x" });
      const { upper } = await shell("echo new > /d/new; rm /d/gone; echo more >> /d/kept", {
        lowers: [lower, sandbox.base],
      });
      expect(filesOf(upper)).toEqual(["d/gone", "d/kept", "d/new"]);
      expect(lstatSync(join(upper, "d/gone")).isCharacterDevice()).toBe(true);
      expect(readFileSync(join(upper, "d/kept"), "utf8")).toBe("xmore\n");
      expect([readFileSync(join(lower, "d/kept"), "utf8"), existsSync(join(lower, "d/gone"))]).toEqual(["x", true]);
    });

    test("a step that changes nothing leaves nothing, whatever had to be mounted", async () => {
      expect(filesOf((await shell("true")).upper)).toEqual([]);
    });

    test("upper layers hide lower ones, in order", async () => {
      const lowers = [directoryWith({ f: "top" }), directoryWith({ f: "middle", g: "middle" }), sandbox.base];
      expect(await outputOf("cat /f /g", { lowers })).toBe("topmiddle");
    });

    test("nothing below it: only what the sandbox itself needs is made", async () => {
      const mounts = [
        { kind: "bind", source: join(sandbox.base, "bin"), subPath: "/", target: "/bin", readOnly: true },
      ] as const;
      const { status, upper } = await shell("echo x > /made", { lowers: [], mounts });
      expect(status.exitCode).toBe(0);
      expect(treeOf(upper)).toEqual(["dev", "made", "proc", "sys"]);
      expect(["dev", "proc", "sys"].map((name) => statSync(join(upper, name)).mode & 0o7777)).toEqual([
        0o755, 0o755, 0o755,
      ]);
    });

    test("host paths with any characters and many layers can be mounted", async () => {
      const many = Array.from({ length: 130 }, (_, index) => directoryWith({ [`many/${index}`]: "" }));
      const odd = join(newDirectory("odd"), "a:b,c\\d e=\n");
      mkdirSync(odd);
      writeFileSync(join(odd, "odd"), "");
      expect(await outputOf("ls /many | wc -l; ls /odd", { lowers: [odd, ...many, sandbox.base] })).toBe("130\n/odd");
    });
  });
}
