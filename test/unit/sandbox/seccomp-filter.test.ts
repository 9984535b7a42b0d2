import { describe, expect, test } from "vitest";
import { encodeFilter, type FilterInstruction, seccompFilter } from "../../../src/sandbox/namespaces/seccomp-filter.ts";
import { allowedSyscalls } from "../../../src/sandbox/namespaces/seccomp-syscalls.ts";

const allow = 0x7fff0000;
const eperm = 0x00050001;
const enosys = 0x00050026;
const x64 = 0xc000003e;
const i386 = 0x40000003;

/** Runs a program as the kernel does. */
function run(
  program: readonly FilterInstruction[],
  arch: number,
  number: number,
  args: readonly bigint[] = [],
): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(arch, 4);
  args.forEach((value, index) => {
    data.writeBigUInt64LE(value, 16 + 8 * index);
  });
  let accumulator = 0;
  for (let at = 0; ; at += 1) {
    const step = program[at];
    if (step === undefined) throw new Error(`fell off the program at ${at}`);
    const jump = (holds: boolean): void => {
      at += holds ? step.jumpTrue : step.jumpFalse;
    };
    if (step.code === 0x20) accumulator = data.readUInt32LE(step.value);
    else if (step.code === 0x05) at += step.value;
    else if (step.code === 0x15) jump(accumulator === step.value);
    else if (step.code === 0x35) jump(accumulator >= step.value);
    else if (step.code === 0x45) jump((accumulator & step.value) >>> 0 !== 0);
    else if (step.code === 0x06) return step.value;
    else throw new Error(`unknown instruction ${step.code}`);
  }
}

const depends = new Set(["clone", "clone3", "personality", "socket"]);

describe.each([
  ["x64", x64, 1],
  ["x64", i386, 2],
  ["arm64", 0xc00000b7, 3],
  ["arm64", 0x40000028, 4],
] as const)("%s, calls of architecture %i", (arch, audit, column) => {
  const program = seccompFilter(arch);
  const rows = allowedSyscalls
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .filter((row) => row[column] !== "-");
  const byNumber = new Map(rows.map((row) => [Number(row[column]), row[0] ?? ""]));

  test("exactly the listed calls are allowed", () => {
    for (const number of [...Array(1100).keys(), ...byNumber.keys(), 983040, 983046, 0x40000000, 0xffffffff]) {
      const name = byNumber.get(number);
      if (name !== undefined && depends.has(name)) continue;
      expect([number, run(program, audit, number)]).toEqual([number, name === undefined ? eperm : allow]);
    }
  });
});

describe("arguments on x86-64", () => {
  const program = seccompFilter("x64");
  test.each([
    ["clone of a thread", 56, [0x3d0f00n], allow],
    ["clone with CLONE_NEWUSER", 56, [0x10000011n], eperm],
    ["clone with CLONE_NEWNS", 56, [0x00020011n], eperm],
    ["clone3", 435, [0n], enosys],
    ["socket inet", 41, [2n], allow],
    ["socket netlink", 41, [16n], allow],
    ["socket alg", 41, [38n], eperm],
    ["socket vsock", 41, [40n], eperm],
    ["socket of a family to come", 41, [46n], eperm],
    ["personality 0", 135, [0n], allow],
    ["personality asked for", 135, [0xffffffffn], allow],
    ["personality READ_IMPLIES_EXEC", 135, [0x0400000n], eperm],
    ["personality with high bits", 135, [0x100000000n], eperm],
    ["mount", 165, [], eperm],
    ["unshare", 272, [], eperm],
    ["io_uring_setup", 425, [], eperm],
    ["x32 getpid", 0x40000027, [], eperm],
  ])("%s", (_, number, args, expected) => {
    expect(run(program, x64, number, args)).toBe(expected);
  });

  test("a foreign architecture has no calls", () => {
    expect(run(program, 0xc00000b7, 172)).toBe(enosys);
  });
});

test("a program is eight bytes an instruction and fits the kernel's limit", () => {
  const program = seccompFilter("x64");
  expect(encodeFilter(program)).toHaveLength(program.length * 8);
  expect(program.length).toBeLessThan(4096);
});

test("an unknown architecture is refused", () => {
  expect(() => seccompFilter("mips")).toThrow(expect.objectContaining({ code: "RUNTIME_UNAVAILABLE" }));
});
