import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ExitStatus, Runtime } from "../../src/sandbox/runtime.ts";
import type { SandboxMount, SandboxSpec } from "../../src/sandbox/sandbox-spec.ts";
import { makeNode } from "../../src/sys/files.ts";
import { unpackBaseRootfs } from "../support/base-rootfs.ts";
import { rejectionOf } from "../support/thrown-by.ts";

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

interface Ran {
  readonly status: ExitStatus;
  readonly stdout: string;
  readonly stderr: string;
  /** What the process left behind. */
  readonly upper: string;
}

type Files = Readonly<Record<string, string>>;

const emptySpec = {
  env: [`PATH=${path}`],
  cwd: "/",
  user: "",
  mounts: [],
  network: "host",
  security: "sandbox",
  hostname: "buildkitsandbox",
  extraHosts: [],
  shmSizeBytes: 64 << 20,
  ulimits: [],
} as const satisfies Partial<SandboxSpec>;

const secret = (target: string, content: string, mode = 0o400, uid = 0, gid = 0): SandboxMount => ({
  kind: "file",
  target,
  contentBase64: Buffer.from(content).toString("base64"),
  mode,
  uid,
  gid,
});

/** Names of everything below a directory, sorted. */
const treeOf = (root: string): string[] => readdirSync(root, { recursive: true }).map(String).sort();

/** As `treeOf`, without directories: an upper directory has copies of those that something was once mounted in. */
const filesOf = (root: string): string[] => treeOf(root).filter((name) => !lstatSync(join(root, name)).isDirectory());

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

/** What every Runtime holds to. Where it cannot run, the tests are skipped with the reason. */
export async function describeRuntime(name: string, runtime: Runtime): Promise<void> {
  const [missing] = await runtime.probe();
  if (missing !== undefined) {
    test.skip(`${name} is a Runtime (skipped: ${missing.what}; ${missing.hint})`, () => {});
    return;
  }
  describe(`${name} is a Runtime`, () => {
    let shared: string;
    let base: string;
    let directory: string;
    beforeAll(async () => {
      shared = mkdtempSync(join(tmpdir(), "tsbuild-runtime-"));
      base = await unpackBaseRootfs(shared);
    });
    afterAll(() => rmSync(shared, { recursive: true, force: true }));
    beforeEach(() => {
      directory = mkdtempSync(join(shared, "test-"));
    });
    afterEach(() => rmSync(directory, { recursive: true, force: true }));

    const newDirectory = (prefix: string): string => mkdtempSync(join(directory, `${prefix}-`));

    /** A directory with the given files; a name that ends in "/" is a directory, content "-> x" makes a symlink. */
    const directoryWith = (files: Files): string => {
      const root = newDirectory("lower");
      chmodSync(root, 0o755);
      for (const [file, content] of Object.entries(files)) {
        const target = join(root, file);
        mkdirSync(file.endsWith("/") ? target : dirname(target), { recursive: true });
        if (content.startsWith("-> ")) symlinkSync(content.slice(3), target);
        else if (!file.endsWith("/")) writeFileSync(target, content);
      }
      return root;
    };

    const run = async (
      args: readonly string[],
      over: Partial<SandboxSpec> = {},
      signal = new AbortController().signal,
    ): Promise<Ran> => {
      const place = newDirectory("run");
      const [upper, work] = [join(place, "upper"), join(place, "work")];
      mkdirSync(upper, { mode: 0o755 });
      mkdirSync(work);
      const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
      const io = { output: (stream: "stdout" | "stderr", chunk: Uint8Array) => void output[stream].push(chunk) };
      const status = await runtime.run({ ...emptySpec, args, lowers: [base], upper, work, ...over }, io, signal);
      const text = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString("latin1");
      return { status, stdout: text(output.stdout), stderr: text(output.stderr), upper };
    };
    const shell = (script: string, over: Partial<SandboxSpec> = {}): Promise<Ran> =>
      run(["/bin/sh", "-c", script], over);
    /** Output of a script that must succeed. */
    const outputOf = async (script: string, over: Partial<SandboxSpec> = {}): Promise<string> => {
      const { status, stdout, stderr } = await shell(script, over);
      expect({ status, stderr }).toEqual({ status: { exitCode: 0, signal: null }, stderr: "" });
      return stdout.trimEnd();
    };

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
        const spec = { ...emptySpec, args: ["/bin/touch", "/x"], lowers: [base], upper, ...rest };
        const never = { output: () => {} };
        expect(await rejectionOf(runtime.run(spec, never, AbortSignal.abort()))).toMatchObject({
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
        const over = { lowers: [program, base], env: ["PATH=.:/nowhere:/opt"] };
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
        const lowers = [directoryWith({ w: `-> ${victim}`, up: "-> ../../../../x" }), base];
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
        const lowers = [database(), base];
        expect(await outputOf('echo "$(id -u):$(id -g):$(id -G)"', { user, lowers })).toBe(expected);
      });

      test.each(["ghost", "app:ghost", "4294967295", "-1", "app:4294967295"])("%j does not exist", async (user) => {
        expect(await rejectionOf(shell("true", { user, lowers: [database(), base] }))).toMatchObject({
          code: "RUN_USER_NOT_FOUND",
        });
      });

      test("numbers need no database", async () => {
        const bin = { kind: "bind", source: join(base, "bin"), subPath: "/", target: "/bin", readOnly: true } as const;
        const over = { lowers: [], mounts: [bin], user: "12:13" };
        expect(await outputOf("id", over)).toBe("uid=12 gid=13 groups=13");
      });

      test("links of the database are followed inside the root, to files only", async () => {
        const moved = directoryWith({ "etc/passwd": "-> /../run/users", "run/users": "app:x:5:6::/:/bin/sh\n" });
        expect(await outputOf("id -u", { lowers: [moved, base], user: "app" })).toBe("5");
        for (const target of ["/proc/self/environ", "/proc/self/fd/3", "/dev/zero", "/etc"]) {
          const odd = directoryWith({ "etc/passwd": `-> ${target}` });
          expect(await rejectionOf(shell("true", { lowers: [odd, base], user: "app" }))).toMatchObject({
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
          expect(await rejectionOf(shell("true", { lowers: [lower, base], user: "app" }))).toMatchObject({
            code: "RUN_USER_NOT_FOUND",
          });
        }
      });
    });

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
        expect(await outputOf("cat /proc/self/mountinfo /proc/self/mounts")).not.toContain(shared);
      });

      test("mounts of the host are as before", async () => {
        const before = readFileSync("/proc/self/mountinfo", "utf8");
        await shell("true", { mounts: [{ kind: "tmpfs", target: "/t", sizeBytes: null }] });
        expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(before);
      });

      test.each(["/proc", "/sys", "/dev"])("an image whose %s is a symlink is refused", async (name) => {
        const victim = newDirectory("victim");
        writeFileSync(join(victim, "ptmx"), "marker");
        const { lowers } = { lowers: [directoryWith({ bin: `-> ${base}/bin`, [name.slice(1)]: `-> ${victim}` })] };
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
        expect(await outputOf(script, { lowers: [image, base] })).toBe("0\nptmx");
        expect(readFileSync("/proc/sys/kernel/core_pattern", "utf8")).toBe(pattern);
      });
    });

    describe("network", () => {
      test("none has the loopback interface only, and it works", async () => {
        const script = "ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 | grep -c ' 0% packet loss'";
        expect(await outputOf(script, { network: "none" })).toBe("lo\n1");
      });

      test("none does not reach the host", async () => {
        const server = createServer();
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        const address = server.address();
        const port = typeof address === "object" && address !== null ? address.port : 0;
        let connections = 0;
        server.on("connection", (socket) => {
          connections += 1;
          socket.destroy();
        });
        try {
          await shell(`nc -w 1 127.0.0.1 ${port} < /dev/null`, { network: "none" });
          expect(connections).toBe(0);
          await shell(`nc -w 1 127.0.0.1 ${port} < /dev/null`);
          expect(connections).toBe(1);
        } finally {
          server.close();
        }
      });

      test("names: the host itself, and those that were asked for", async () => {
        const script = "hostname; cat /etc/hosts; stat -c %a /etc/hosts /etc/resolv.conf";
        const over = { hostname: "box", extraHosts: [{ name: "alpha", address: "10.0.0.1" }] };
        expect(await outputOf(script, over)).toBe(
          "box\n127.0.0.1\tlocalhost box\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.1\talpha\n644\n644",
        );
      });
    });

    describe("root file system", () => {
      test("changes land in the upper directory, lower ones stay as they are", async () => {
        const lower = directoryWith({ "d/gone": "x", "d/kept": "x" });
        const { upper } = await shell("echo new > /d/new; rm /d/gone; echo more >> /d/kept", { lowers: [lower, base] });
        expect(filesOf(upper)).toEqual(["d/gone", "d/kept", "d/new"]);
        expect(lstatSync(join(upper, "d/gone")).isCharacterDevice()).toBe(true);
        expect(readFileSync(join(upper, "d/kept"), "utf8")).toBe("xmore\n");
        expect([readFileSync(join(lower, "d/kept"), "utf8"), existsSync(join(lower, "d/gone"))]).toEqual(["x", true]);
      });

      test("a step that changes nothing leaves nothing, whatever had to be mounted", async () => {
        expect(filesOf((await shell("true")).upper)).toEqual([]);
      });

      test("upper layers hide lower ones, in order", async () => {
        const lowers = [directoryWith({ f: "top" }), directoryWith({ f: "middle", g: "middle" }), base];
        expect(await outputOf("cat /f /g", { lowers })).toBe("topmiddle");
      });

      test("nothing below it: only what the sandbox itself needs is made", async () => {
        const mounts = [
          { kind: "bind", source: join(base, "bin"), subPath: "/", target: "/bin", readOnly: true },
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
        expect(await outputOf("ls /many | wc -l; ls /odd", { lowers: [odd, ...many, base] })).toBe("130\n/odd");
      });
    });

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
        expect(stdout).toBe(
          `${token} 400 0:0\n 555 12:13\nran\nro\nro,nosuid,nodev,noexec\nro,nosuid,nodev,relatime\n`,
        );
        expect(filesOf(upper)).toEqual([]);
        expect((await shell("cat /run/secrets/s", { mounts, user: "1000" })).status.exitCode).toBe(1);
      });

      test("a socket of the host can be connected to", async () => {
        const socket = join(directory, "agent.sock");
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
          const lowers = [directoryWith({ link: "-> /proc/1" }), base];
          const error = await rejectionOf(
            shell("true", { lowers, mounts: [{ kind: "tmpfs", target, sizeBytes: null }] }),
          );
          expect((error as { code: string }).code).toMatch(/^RU/);
        },
      );

      test.each(["/", "/..", "/link", "//."])("target %s is the root and refused", async (target) => {
        const lowers = [directoryWith({ link: "-> ../.." }), base];
        const error = await rejectionOf(
          shell("true", { lowers, mounts: [{ kind: "tmpfs", target, sizeBytes: null }] }),
        );
        expect(error).toMatchObject({ code: "RUN_FAILED" });
      });

      test("links in a target are followed inside the root", async () => {
        const victim = newDirectory("victim");
        const lowers = [directoryWith({ "run/secrets": `-> ${victim}/out`, m: `-> ${victim}` }), base];
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

    describe("mount points", () => {
      const tmpfs = (target: string): SandboxMount => ({ kind: "tmpfs", target, sizeBytes: null });

      test("made for mounts are gone afterwards; the time of their parents is that of the start", async () => {
        const lower = directoryWith({ "d/f": "", "etc/": "" });
        const over = { lowers: [lower, directoryWith({ "bin/": "" })] };
        const mounts = [tmpfs("/d/new/point"), tmpfs("/deep/new/point"), secret("/run/secrets/s", "x")];
        const bin: SandboxMount = {
          kind: "bind",
          source: join(base, "bin"),
          subPath: "/",
          target: "/bin",
          readOnly: true,
        };
        const { upper } = await shell("touch /d/new/point/x; stat -c %y /d > /seen; sleep 0.1", {
          ...over,
          mounts: [bin, ...mounts],
        });
        expect(treeOf(upper)).toEqual(["d", "dev", "etc", "proc", "seen", "sys"]);
        const seenMs = Date.parse(
          `${readFileSync(join(upper, "seen"), "utf8").trim().slice(0, 23).replace(" ", "T")}Z`,
        );
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
        const { upper } = await shell("true", { lowers: [lower, base], mounts: [tmpfs("/m")] });
        expect(filesOf(upper)).toEqual([]);
        expect(treeOf(lower)).toEqual(["m"]);
      });
    });
  });
}
