import { mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SandboxMount } from "../../../src/sandbox/sandbox-spec.ts";
import { filesOf, type Sandbox, secret, treeOf } from "./sandbox.ts";

/** What a Runtime holds to: the places where something is mounted. */
export function describeMountPoints(sandbox: Sandbox): void {
  const { newDirectory, directoryWith, shell } = sandbox;
  describe("mount points", () => {
    const tmpfs = (target: string): SandboxMount => ({ kind: "tmpfs", target, sizeBytes: null });

    test("made for mounts are gone afterwards; the time of their parents is that of the start", async () => {
      const lower = directoryWith({ "d/f": "", "etc/": "" });
      const over = { lowers: [lower, directoryWith({ "bin/": "" })] };
      const mounts = [tmpfs("/d/new/point"), tmpfs("/deep/new/point"), secret("/run/secrets/s", "x")];
      const bin: SandboxMount = {
        kind: "bind",
        source: join(sandbox.base, "bin"),
        subPath: "/",
        target: "/bin",
        readOnly: true,
      };
      const { upper } = await shell("touch /d/new/point/x; stat -c %y /d > /seen; sleep 0.1", {
        ...over,
        mounts: [bin, ...mounts],
      });
      expect(treeOf(upper)).toEqual(["d", "dev", "etc", "proc", "seen", "sys"]);
      const seenMs = Date.parse(`${readFileSync(join(upper, "seen"), "utf8").trim().slice(0, 23).replace(" ", "T")}Z`);
      expect(Math.floor(statSync(join(upper, "d")).mtimeMs)).toBe(seenMs);
    });

    test("stay when the step put something beside them", async () => {
      const { upper } = await shell("echo x > /deep/kept", { mounts: [tmpfs("/deep/new/point")] });
      expect(treeOf(upper)).toEqual(["deep", "deep/kept", "etc"]);
      expect(Date.now() - statSync(join(upper, "deep")).mtimeMs).toBeLessThan(60_000);
    });

    test("moved away and replaced by links to the host are left alone", async () => {
      const victim = newDirectory("victim");
      writeFileSync(join(victim, "y"), "");
      mkdirSync(join(victim, "x"));
      mkdirSync(join(victim, "x/y"));
      const script = `mv /m/x /m/z && ln -s ${victim} /m/x; mv /n /o && ln -s ${victim} /n`;
      const mounts = [tmpfs("/m/x/y"), secret("/n/y", ""), tmpfs("/n/x/y")];
      const { status, upper } = await shell(script, { mounts });
      expect(status.exitCode).toBe(0);
      expect(treeOf(victim)).toEqual(["x", "x/y", "y"]);
      expect(readlinkSync(join(upper, "m/x"))).toBe(victim);
    });

    test("that were there before stay", async () => {
      const lower = directoryWith({ "m/": "" });
      const { upper } = await shell("true", { lowers: [lower, sandbox.base], mounts: [tmpfs("/m")] });
      expect(filesOf(upper)).toEqual([]);
      expect(treeOf(lower)).toEqual(["m"]);
    });
  });
}
