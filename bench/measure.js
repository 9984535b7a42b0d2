// Runs a command and says what it took.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const timeProgram = "/usr/bin/time";
const report = join(tmpdir(), `tsbuild-bench-${process.pid}.time`);

/** Bytes that this process and all children it has waited for made dirty (Linux counts them; elsewhere null). */
function writtenBytes() {
  try {
    return Number(/^write_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
  } catch {
    return null;
  }
}

/**
 * Runs `args` to its end. Wall time in seconds; where the system can tell, of the command and its children (not of a
 * daemon it talks to) processor time in seconds, peak memory in KiB of the largest process, and bytes written. Throws
 * with the output when the command fails.
 */
export async function measure(args, env = {}) {
  const hasTime = existsSync(timeProgram);
  const command = hasTime ? [timeProgram, "-f", "%U %S %M", "-o", report, ...args] : args;
  // What an earlier run left to be written is not this one's.
  spawnSync("sync");
  const writtenBefore = writtenBytes();
  const start = process.hrtime.bigint();
  const { status, output } = await runCommand(command, env);
  const wallSeconds = Number(process.hrtime.bigint() - start) / 1e9;
  if (status !== 0) throw new Error(`${args.join(" ")}\n${output}\nexit status ${status}`);
  const written = writtenBytes();
  const [user = null, system = null, memory = null] = hasTime
    ? readFileSync(report, "utf8").trim().split("\n").at(-1).split(" ").map(Number)
    : [];
  rmSync(report, { force: true });
  return {
    wallSeconds,
    cpuSeconds: user === null ? null : user + system,
    memoryKib: memory,
    writtenBytes: written === null || writtenBefore === null ? null : written - writtenBefore,
  };
}

function runCommand([program, ...args], env) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    let output = "";
    const keep = (chunk) => {
      output = `${output}${chunk}`.slice(-20_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.once("error", reject);
    child.once("close", (status, signal) => resolve({ status: status ?? signal, output }));
  });
}

/** Output of a command; null when it fails or is not there. */
export function outputOf(program, args, env = {}) {
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8", env: { ...process.env, ...env } });
  return status === 0 ? stdout.trim() : null;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
