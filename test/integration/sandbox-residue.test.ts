import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NamespaceRuntime } from "../../src/sandbox/namespaces/namespace-runtime.ts";
import { unpackBaseRootfs } from "../support/base-rootfs.ts";
import { rejectionOf } from "../support/thrown-by.ts";

const [missing] = await new NamespaceRuntime().probe();

/** Processes with `text` in their environment or arguments, and what they are. */
function processesWith(text: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return ["cmdline", "environ"].some((file) => readFileSync(`/proc/${name}/${file}`, "utf8").includes(text));
      } catch {
        return false;
      }
    });
}

const childrenOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);
const isGone = (pid: string): boolean => {
  try {
    return / [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return true;
  }
};

describe.skipIf(missing !== undefined)(`a build that is killed (${missing?.what ?? "runs here"})`, () => {
  let directory: string;
  let program: string;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "tsbuild-residue-"));
    const base = await unpackBaseRootfs(directory);
    // a program of its own, which runs one step: killing this process would end the test
    const source = join(directory, "build.ts");
    program = join(import.meta.dirname, "../../dist", `residue-test-${process.pid}.js`);
    writeFileSync(
      source,
      `import { mkdirSync } from "node:fs";
       import { NamespaceRuntime } from ${JSON.stringify(join(import.meta.dirname, "../../src/sandbox/namespaces/namespace-runtime.ts"))};
       const [place, script, user] = process.argv.slice(2);
       const [upper, work] = [place + "/upper", place + "/work"];
       mkdirSync(upper); mkdirSync(work);
       const runtime = new NamespaceRuntime();
       const spec = { args: ["/bin/sh", "-c", script], env: ["PATH=/bin", "MARK=" + place], cwd: "/", user,
         lowers: [${JSON.stringify(base)}], upper, work, mounts: [], network: "none", security: "sandbox",
         hostname: "h", extraHosts: [], shmSizeBytes: 65536, ulimits: [] };
       const io = { output: (_stream, chunk) => process.stdout.write(chunk) };
       await runtime.run(spec, io, new AbortController().signal);`,
    );
    await build({
      entryPoints: [source],
      outfile: program,
      bundle: true,
      format: "esm",
      platform: "node",
      packages: "external",
      logLevel: "error",
    });
  });
  afterAll(() => {
    rmSync(program, { force: true });
    rmSync(directory, { recursive: true, force: true });
  });

  const start = (script: string, user = "") => {
    const place = mkdtempSync(join(directory, "place-"));
    const child = spawn(process.execPath, [program, place, script, user], { stdio: ["ignore", "pipe", "inherit"] });
    return { child, place };
  };

  test.each([
    ["", "(setsid sleep 9999 &); trap '' TERM HUP INT; echo started; sleep 9999"],
    ["1000", "echo started; exec sleep 9999"],
  ])("leaves no process and no mount (user %j)", async (user, script) => {
    const mounts = readFileSync("/proc/self/mountinfo", "utf8");
    const { child, place } = start(script, user);
    await once(child.stdout, "data");
    expect(processesWith(`MARK=${place}`).length).toBeGreaterThan(0);
    const children = childrenOf(child.pid ?? 0);
    expect(children.length).toBeGreaterThan(1);
    child.kill("SIGKILL");
    await once(child, "exit");
    await expect.poll(() => children.filter((pid) => !isGone(pid)), { timeout: 5000 }).toEqual([]);
    expect(processesWith(`MARK=${place}`)).toEqual([]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).toBe(mounts);
    expect(existsSync(join(place, "upper"))).toBe(true);
  });

  test("together with the process that starts steps leaves nothing either", async () => {
    const { child, place } = start("echo started; exec sleep 9999");
    await once(child.stdout, "data");
    const children = childrenOf(child.pid ?? 0);
    const zygote = children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("tsbuild-sandbox"));
    expect(zygote.length).toBe(1);
    child.kill("SIGKILL");
    for (const pid of zygote) process.kill(Number(pid), "SIGKILL");
    await once(child, "exit");
    await expect.poll(() => processesWith(`MARK=${place}`), { timeout: 5000 }).toEqual([]);
    await expect.poll(() => children.filter((pid) => !isGone(pid)), { timeout: 5000 }).toEqual([]);
  });

  test("that ends by itself leaves nothing that was started ahead", async () => {
    const { child } = start("echo started; sleep 0.3");
    await once(child.stdout, "data");
    const children = childrenOf(child.pid ?? 0);
    expect(await once(child, "exit")).toEqual([0, null]);
    await expect.poll(() => children.filter((pid) => !isGone(pid)), { timeout: 5000 }).toEqual([]);
  });
});

describe.skipIf(missing !== undefined)(`the process that starts steps (${missing?.what ?? "runs here"})`, () => {
  test("ends its steps when it is killed, and the next step gets another one", async () => {
    const directory = mkdtempSync(join(tmpdir(), "tsbuild-zygote-"));
    try {
      const base = await unpackBaseRootfs(directory);
      const runtime = new NamespaceRuntime();
      const mark = `MARK=${directory}`;
      const run = (name: string, script: string, onOutput: () => void): Promise<unknown> => {
        const [upper, work] = [join(directory, `${name}-upper`), join(directory, `${name}-work`)];
        mkdirSync(upper);
        mkdirSync(work);
        const spec = {
          args: ["/bin/sh", "-c", script],
          env: ["PATH=/bin", mark],
          cwd: "/",
          user: "1000",
          lowers: [base],
          upper,
          work,
          mounts: [],
          network: "none",
          security: "sandbox",
          hostname: "h",
          extraHosts: [],
          shmSizeBytes: 65536,
          ulimits: [],
        } as const;
        return runtime.run(spec, { output: onOutput }, new AbortController().signal);
      };
      const killZygote = (): void => {
        const parents = processesWith(mark).map(
          (pid) => /\nPPid:\t(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1],
        );
        for (const pid of new Set(parents)) {
          if (readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("tsbuild-sandbox"))
            process.kill(Number(pid), "SIGKILL");
        }
      };
      const error = await rejectionOf(run("first", "echo started; exec sleep 9999", killZygote));
      expect(error).toMatchObject({
        code: "RUNTIME_SETUP_FAILED",
        message: "the process that starts steps ended by SIGKILL",
      });
      expect(processesWith(mark)).toEqual([]);
      expect(await run("second", "exit 3", () => {})).toEqual({ exitCode: 3, signal: null });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe.skipIf(missing !== undefined)(`the program a sandbox starts with (${missing?.what ?? "runs here"})`, () => {
  test("cannot be overwritten by a step that gets it executed", async () => {
    const directory = mkdtempSync(join(tmpdir(), "tsbuild-exe-"));
    try {
      const base = await unpackBaseRootfs(directory);
      const image = join(directory, "image");
      mkdirSync(image);
      // what node needs to start inside
      const libraries = ["/lib", "/lib64", "/usr/lib"].filter((path) => existsSync(path));
      const [upper, work] = [join(directory, "upper"), join(directory, "work")];
      mkdirSync(upper);
      mkdirSync(work);
      const before = readFileSync(process.execPath);
      const output: Uint8Array[] = [];
      const script =
        "const fs = require('fs'); const fd = fs.openSync('/proc/self/exe', 'r');" +
        "require('child_process').execFileSync('/bin/true');" +
        "for (const path of ['/proc/self/exe', '/proc/self/fd/' + fd, '/proc/1/exe'])" +
        "  try { fs.accessSync(path, fs.constants.W_OK); console.log('writable') } catch (e) { console.log(e.code) }";
      writeFileSync(join(image, "evil"), `#!/proc/self/exe\n${script}\n`, { mode: 0o755 });
      await new NamespaceRuntime().run(
        {
          args: ["/evil"],
          env: [],
          cwd: "/",
          user: "",
          lowers: [image, base],
          upper,
          work,
          mounts: libraries.map((path) => ({ kind: "bind", source: path, subPath: "", target: path, readOnly: true })),
          network: "none",
          security: "sandbox",
          hostname: "h",
          extraHosts: [],
          shmSizeBytes: 65536,
          ulimits: [],
        },
        { output: (_stream, chunk) => void output.push(chunk) },
        new AbortController().signal,
      );
      expect(Buffer.concat(output).toString()).toBe("EROFS\nEROFS\nEROFS\n");
      expect(readFileSync(process.execPath).equals(before)).toBe(true);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
