import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { baseLayout } from "../support/base-registry.ts";
import { baseFlags, cliProgram, runCli, startCli } from "../support/cli.ts";
import { findProcesses } from "../support/find-processes.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { useTemporaryDirectory } from "../support/temporary-directory.ts";
import { writeContext } from "../support/write-context.ts";

const temporary = useTemporaryDirectory();
const at = (name: string): string => join(temporary.path, name);
const contextOf = (dockerfile: string): string => writeContext(at("context"), { Dockerfile: dockerfile });

/** A port of this machine nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("exit code", () => {
  test("1: the build is at fault", async () => {
    const { code } = await runCli([contextOf("FROM scratch\nCOPY none /\n")], { root: at("store") });
    expect(code).toBe(1);
  });

  test.each([
    [["--taget=x", "."], /unknown option '--taget=x'\nhint: did you mean --target\?/],
    [["images", "--qiet"], /unknown option '--qiet'\nhint: did you mean --quiet\?/],
    [[], /missing required argument 'context'/],
    [["--progress=loud", "."], /--progress/],
    [["--ulimit=files=1", "."], /no limit is called files/],
    [["-t", "UPPER", "."], /image reference "UPPER"/],
  ])("2: the command line is at fault: %j", async (args, text) => {
    const { code, stderr, stdout } = await runCli(args, { root: at("store"), cwd: temporary.path });
    expect(stderr).toMatch(text);
    expect(code).toBe(2);
    expect(stdout.toString()).toBe("");
  });

  test("3: the store is a file", async () => {
    writeFileSync(at("store"), "not a directory");
    const { code, stderr } = await runCli([contextOf("FROM scratch\nLABEL a=b\n")], { root: at("store") });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^ERROR: .*store/);
    expect(stderr).not.toContain("bug in tsbuild");
  });

  test.skipIf(process.getuid?.() === 0)("3: the store may not be written to", async () => {
    mkdirSync(at("store"));
    chmodSync(at("store"), 0o500);
    const { code, stderr } = await runCli([contextOf("FROM scratch\nLABEL a=b\n")], { root: at("store") });
    expect(stderr).toContain("permission denied");
    expect(code).toBe(3);
  });

  test.skipIf(needsRoot !== null)("3: the store is mounted read-only", async () => {
    const context = contextOf("FROM scratch\nLABEL a=b\n");
    mkdirSync(at("store"));
    // In a mount namespace of its own: the mount goes away with the command.
    const script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"';
    const under = ["unshare", "-m", "sh", "-c", script, "sh", at("store")];
    const { code, stderr } = await runCli([context], { root: at("store"), under });
    expect(stderr).toMatch(/^ERROR: .*read-only file system/);
    expect(code).toBe(3);
  });

  test("4: the registry is down, which is found out within seconds", async () => {
    const registry = `127.0.0.1:${await closedPort()}`;
    const startedAtMs = Date.now();
    const { code, stderr } = await runCli([contextOf(`FROM ${registry}/team/app:1.2\n`)], { root: at("store") });
    expect(code).toBe(4);
    expect(stderr).toContain(`ERROR: registry ${registry}: connection refused`);
    expect(Date.now() - startedAtMs).toBeLessThan(60_000);
  });

  test("4: the server of an ADD is down", async () => {
    const server = `127.0.0.1:${await closedPort()}`;
    const { code, stderr } = await runCli([contextOf(`FROM scratch\nADD http://${server}/f /\n`)], {
      root: at("store"),
    });
    expect(stderr).toContain(server);
    expect(code).toBe(4);
  });

  test("5: what was received is not what its digest says", async () => {
    cpSync(baseLayout, at("layout"), { recursive: true });
    const blobs = readdirSync(join(at("layout"), "blobs/sha256")).map((name) =>
      join(at("layout"), "blobs/sha256", name),
    );
    for (const blob of blobs.filter((file) => readFileSync(file)[0] === 0x1f)) {
      const bytes = readFileSync(blob);
      bytes.writeUInt8(bytes.readUInt8(5000) ^ 1, 5000);
      writeFileSync(blob, bytes);
    }
    const flags = ["--build-context", `base=oci-layout://${at("layout")}`];
    const context = contextOf("FROM base\nCOPY --from=base /etc/passwd /x/\n");
    const { code, stderr } = await runCli([...flags, context], { root: at("store") });
    expect(stderr).toMatch(/ERROR: .*sha256:[0-9a-f]{64}/);
    expect(code).toBe(5);
    // That the layer exists somewhere is known; none of its content is there.
    const forms = readdirSync(at("store/layers")).flatMap((layer) => readdirSync(join(at("store/layers"), layer)));
    expect(forms.filter((form) => ["tar", "dir", "index"].includes(form))).toEqual([]);
  });
});

describe.skipIf(needsRoot !== null)(`a RUN${needsRoot === null ? "" : ` (skipped: ${needsRoot})`}`, () => {
  test("that fails shows its output, the lines of the Dockerfile and its exit code, and leaves no output file", async () => {
    const context = contextOf("FROM base\nRUN echo on stdout; echo on stderr >&2; exit 7\n");
    const args = [...baseFlags, "-o", `type=oci,dest=${at("out.tar")}`, context];
    const { code, stderr } = await runCli(args, { root: at("store") });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^------\n > \[2\/2\] RUN .*:\n(on stdout\non stderr|on stderr\non stdout)\n------$/m);
    expect(stderr).toMatch(/^ +2 \| >>> RUN echo on stdout;/m);
    expect(stderr).toMatch(/did not complete successfully: exit code: 7$/m);
    expect(readdirSync(temporary.path).filter((name) => name.startsWith("out"))).toEqual([]);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("ends with all it started on %s, with exit code 130", async (signal) => {
    const marker = `marker-${randomUUID()}`;
    const context = contextOf(
      `FROM base\nENV MARKER=${marker}\nRUN setsid sleep 1000 & (trap '' INT TERM; sleep 1000) & echo started; sleep 1000\n`,
    );
    const args = [...baseFlags, "-o", `type=oci,dest=${at("out.tar")}`, context];
    const child = startCli(args, { root: at("store") });
    child.stdin?.end();
    let stderr = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const exited = new Promise<number | null>((resolve) => child.on("close", resolve));
    await vi.waitUntil(() => /^#\d+ [\d.]+ started$/m.test(stderr), { timeout: 30_000 });
    expect(findProcesses(marker).length).toBeGreaterThanOrEqual(3);
    child.kill(signal);
    expect(await exited).toBe(130);
    expect(findProcesses(marker)).toEqual([]);
    expect(stderr).toContain("CANCELED");
    expect(stderr).not.toMatch(/^ +at /m);
    expect(existsSync(at("out.tar"))).toBe(false);
    expect(readdirSync(at("store/tmp"))).toEqual([]);
  });
});

test("a missing build of the program itself says so", () => {
  const elsewhere = at("package");
  cpSync(dirname(cliProgram), join(elsewhere, "bin"), { recursive: true });
  writeFileSync(join(elsewhere, "package.json"), '{"type":"module","version":"1.2.3"}');
  const run = (...args: string[]): string =>
    execFileSync(
      "sh",
      ["-c", '"$0" "$@" 2>&1; echo "exit code $?"', process.execPath, join(elsewhere, "bin/tsbuild.js"), ...args],
      {
        encoding: "utf8",
      },
    );
  expect(run("images")).toBe(
    "ERROR: tsbuild has not been built yet\nhint: run npm ci && npm run build first\nexit code 3\n",
  );
  expect(run("--version")).toBe("tsbuild 1.2.3\nexit code 0\n");
});
