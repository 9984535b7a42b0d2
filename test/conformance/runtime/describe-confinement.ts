import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { rejectionOf } from "../../support/thrown-by.ts";
import { type Sandbox, treeOf } from "./sandbox.ts";

/** What a Runtime holds to: what a step cannot do or see. */
export function describeConfinement(sandbox: Sandbox): void {
  const { newDirectory, directoryWith, run, shell, outputOf } = sandbox;
  describe("confinement", () => {
    const statusOf = (script: string): string =>
      `${script}grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status`;

    test("root has the fourteen capabilities of containers, under a seccomp filter", async () => {
      const rows = (await outputOf(statusOf(""))).split("\n").map((row) => row.split(/\s+/).slice(0, 2).join(" "));
      expect(rows).toEqual([
        "Groups: 0",
        "CapInh: 0000000000000000",
        "CapPrm: 00000000a80425fb",
        "CapEff: 00000000a80425fb",
        "CapBnd: 00000000a80425fb",
        "CapAmb: 0000000000000000",
        "NoNewPrivs: 0",
        "Seccomp: 2",
      ]);
    });

    test("a user has none, but could get them back with setuid", async () => {
      const status = await outputOf(statusOf(""), { user: "1000" });
      expect(status).toContain("CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000");
      expect(status).toContain("CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0");
    });

    test("namespaces are its own", async () => {
      const own = ["mnt", "pid", "ipc", "uts", "cgroup"];
      const links = (await outputOf(`for n in ${own.join(" ")} net; do readlink /proc/self/ns/$n; done`)).split("\n");
      for (const [index, kind] of own.entries()) expect(links[index]).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
      expect(links[own.length]).toBe(readlinkSync("/proc/self/ns/net"));
    });

    test.each([
      "mount -t tmpfs none /mnt",
      "mount -t proc none /mnt",
      "mount -t cgroup none /mnt",
      "umount /proc/sys",
      "mount -o remount,rw /sys",
      "unshare -m true",
      "unshare -Ur true",
      "nsenter -t 1 -m true",
      "hostname evil",
      "mkdir /sys/fs/cgroup/x",
      "chroot /proc/1/root mount -t tmpfs none /tmp",
      "swapoff -a && false",
      "dd if=/dev/null of=/proc/sys/kernel/core_pattern",
      "dd if=/dev/null of=/proc/sysrq-trigger",
      "dd if=/dev/null of=/proc/irq/default_smp_affinity",
      "dd if=/dev/null of=/sys/kernel/uevent_helper",
      "dd if=/dev/null of=/sys/fs/cgroup/release_agent",
      "dd if=/dev/null of=/etc/hosts",
      "dd if=/dev/null of=/etc/resolv.conf",
      "mknod /d b 254 0 && head -c1 /d",
      "mknod /dev/d c 1 1 && head -c1 /dev/d",
      "mknod /dev/shm/d c 10 229 && : < /dev/shm/d",
    ])("%s fails", async (command) => {
      const { status } = await shell(`mkdir -p /mnt; ${command}`);
      expect(status.exitCode).not.toBe(0);
    });

    test("what tells about the machine is masked", async () => {
      const script =
        "for f in kcore keys timer_list interrupts; do [ -e /proc/$f ] && head -c1 /proc/$f | wc -c; done; " +
        "for d in /proc/acpi /proc/scsi /sys/firmware; do [ -e $d ] && ls $d | wc -l; done; true";
      expect(new Set((await outputOf(script)).split("\n"))).toEqual(new Set(["0"]));
    });

    test("devices are there and work", async () => {
      const script =
        'cd /dev && for n in null zero full random urandom tty; do stat -c "%n %t:%T %a %F" $n; done; ' +
        "for l in fd stdin stdout stderr; do readlink $l; done; stat -c '%n %a %F' shm pts mqueue; " +
        "head -c2 zero | wc -c; echo x > null";
      expect(await outputOf(script)).toBe(
        [
          "null 1:3 666 character special file",
          "zero 1:5 666 character special file",
          "full 1:7 666 character special file",
          "random 1:8 666 character special file",
          "urandom 1:9 666 character special file",
          "tty 5:0 666 character special file",
          "/proc/self/fd",
          "/proc/self/fd/0",
          "/proc/self/fd/1",
          "/proc/self/fd/2",
          "shm 1777 directory",
          "pts 755 directory",
          "mqueue 1777 directory",
          "2",
        ].join("\n"),
      );
    });

    test("a step that asks for it has all capabilities and no filter", async () => {
      const insecure = { security: "insecure" } as const;
      const status = await outputOf(statusOf("mkdir -p /mnt; mount -t tmpfs none /mnt; "), insecure);
      const host = /CapBnd:\t\S+/.exec(readFileSync("/proc/self/status", "utf8"))?.[0];
      expect(status).toContain(host);
      expect(status).toContain("Seccomp:\t0");
    });

    test("a step that asks for it has the devices of the host", async () => {
      const names = (await outputOf("cd /dev; find . -type b -o -type c", { security: "insecure" })).split("\n");
      const host = readdirSync("/dev").filter((name) => lstatSync(join("/dev", name)).isBlockDevice());
      expect(names).toEqual(expect.arrayContaining(host.map((name) => `./${name}`)));
    });

    test("host paths do not show in its mounts", async () => {
      expect(await outputOf("cat /proc/self/mountinfo /proc/self/mounts")).not.toContain(sandbox.shared);
    });

    test("mounts of the host are as before", async () => {
      const before = readFileSync("/proc/self/mountinfo", "utf8");
      await shell("true", { mounts: [{ kind: "tmpfs", target: "/t", sizeBytes: null }] });
      expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
    });

    test.each(["/proc", "/sys", "/dev"])("an image whose %s is a symlink is refused", async (name) => {
      const victim = newDirectory("victim");
      writeFileSync(join(victim, "ptmx"), "marker");
      const { lowers } = {
        lowers: [directoryWith({ bin: `-> ${sandbox.base}/bin`, [name.slice(1)]: `-> ${victim}` })],
      };
      expect(await rejectionOf(run(["/bin/true"], { lowers }))).toMatchObject({ code: "RUN_FAILED" });
      expect(treeOf(victim)).toEqual(["ptmx"]);
    });

    test("devices of the image are not used for masking", async () => {
      const image = directoryWith({
        "dev/null": "-> /proc/sys/kernel/core_pattern",
        "dev/console": "-> /proc/sysrq-trigger",
        "dev/pts": "-> /etc",
      });
      const pattern = readFileSync("/proc/sys/kernel/core_pattern", "utf8");
      const script = "wc -c < /proc/keys; echo x > /dev/null; cat /dev/null; ls /dev/pts; readlink /dev/null || true";
      expect(await outputOf(script, { lowers: [image, sandbox.base] })).toBe("0\nptmx");
      expect(readFileSync("/proc/sys/kernel/core_pattern", "utf8")).toBe(pattern);
    });
  });
}
