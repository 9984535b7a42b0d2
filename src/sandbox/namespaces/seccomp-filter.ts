import { BuildError } from "../../base/errors.ts";
import { allowedSyscalls } from "./seccomp-syscalls.ts";

/** One instruction of classic BPF, as `struct sock_filter` has it (kernel: Documentation/networking/filter.rst). */
export interface FilterInstruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly value: number;
}

const load = 0x20;
const jumpAlways = 0x05;
const jumpEqual = 0x15;
const jumpGreaterOrEqual = 0x35;
const jumpAnyBit = 0x45;
const give = 0x06;

/** Offsets in `struct seccomp_data`; arguments are little endian 64 bit words, of which the low half comes first. */
const numberOffset = 0;
const archOffset = 4;
const lowArgumentOffset = (index: number): number => 16 + 8 * index;
const highArgumentOffset = (index: number): number => 20 + 8 * index;

const allow = 0x7fff0000;
const failWith = (errno: number): number => 0x00050000 | errno;
const EPERM = 1;
const ENOSYS = 38;

const instruction = (code: number, value: number, jumpTrue = 0, jumpFalse = 0): FilterInstruction => ({
  code,
  jumpTrue,
  jumpFalse,
  value,
});
const answer = (action: number): FilterInstruction => instruction(give, action);

/** An architecture whose calls one kernel takes: its AUDIT_ARCH number and its column in the table of calls. */
interface Abi {
  readonly audit: number;
  readonly column: number;
}
const abis: Readonly<Partial<Record<string, readonly Abi[]>>> = {
  x64: [
    { audit: 0xc000003e, column: 1 },
    { audit: 0x40000003, column: 2 },
  ],
  arm64: [
    { audit: 0xc00000b7, column: 3 },
    { audit: 0x40000028, column: 4 },
  ],
};

/** Bits of clone(2) that make namespaces. */
const namespaceFlags = 0x7e020000;
const personalities = [0, 8, 0x20000, 0x20008, 0xffffffff];
/**
 * Address families a step may open sockets of. Left out: those that reach the hypervisor or the kernel's crypto
 * (vsock, alg), and ones nobody uses any more but attackers (ax25 relatives, decnet, irda, …).
 */
const socketFamilies = [
  [0, 11],
  [13, 18],
  [21, 22],
  [24, 24],
  [26, 33],
  [35, 36],
  [39, 39],
  [41, 45],
] as const;

/** What follows once the call's number is known: a block of instructions that ends in an answer on every way. */
function actionFor(name: string): readonly FilterInstruction[] {
  switch (name) {
    case "clone":
      return [
        instruction(load, lowArgumentOffset(0)),
        instruction(jumpAnyBit, namespaceFlags, 0, 1),
        answer(failWith(EPERM)),
        answer(allow),
      ];
    case "clone3":
      // its flags lie in memory, which a filter cannot read; C libraries go back to clone when it does not exist
      return [answer(failWith(ENOSYS))];
    case "personality":
      return [
        instruction(load, highArgumentOffset(0)),
        instruction(jumpEqual, 0, 1, 0),
        answer(failWith(EPERM)),
        instruction(load, lowArgumentOffset(0)),
        ...personalities.flatMap((value) => [instruction(jumpEqual, value, 0, 1), answer(allow)]),
        answer(failWith(EPERM)),
      ];
    case "socket":
      return [
        instruction(load, lowArgumentOffset(0)),
        ...socketFamilies.flatMap(([first, last]) => [
          instruction(jumpGreaterOrEqual, last + 1, 2, 0),
          instruction(jumpGreaterOrEqual, first, 0, 1),
          answer(allow),
        ]),
        answer(failWith(EPERM)),
      ];
    default:
      return [answer(allow)];
  }
}

/** From `first` up to the next segment every call number has the same action. */
interface Segment {
  readonly first: number;
  readonly action: readonly FilterInstruction[];
}

function segmentsOf(column: number): readonly Segment[] {
  const calls = allowedSyscalls
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .flatMap((columns) => {
      const [name, number] = [columns[0], columns[column]];
      return name === undefined || number === undefined || number === "-" ? [] : [{ name, number: Number(number) }];
    })
    .sort((a, b) => a.number - b.number);
  const denied = [answer(failWith(EPERM))];
  const segments: Segment[] = [{ first: 0, action: denied }];
  let next = 0;
  let isPlain = false;
  for (const { name, number } of calls) {
    if (number < next) continue;
    if (number > next && next > 0) segments.push({ first: next, action: denied });
    const action = actionFor(name);
    const plain = action.length === 1 && action[0]?.value === allow;
    if (!(plain && isPlain && number === next)) segments.push({ first: number, action });
    isPlain = plain;
    next = number + 1;
  }
  segments.push({ first: next, action: denied });
  return segments.filter((segment, index) => segment.first !== segments[index + 1]?.first);
}

/** Binary search over the call's number, which has been loaded. */
function search(segments: readonly Segment[]): readonly FilterInstruction[] {
  const [only] = segments;
  if (only === undefined) throw new BuildError("INTERNAL", "a search over no segments");
  if (segments.length === 1) return only.action;
  const middle = segments.length >> 1;
  const low = search(segments.slice(0, middle));
  const high = search(segments.slice(middle));
  const pivot = segments[middle]?.first ?? 0;
  // a conditional jump reaches 255 instructions, an unconditional one any number
  return low.length <= 255
    ? [instruction(jumpGreaterOrEqual, pivot, low.length, 0), ...low, ...high]
    : [instruction(jumpGreaterOrEqual, pivot, 0, 1), instruction(jumpAlways, low.length), ...low, ...high];
}

/**
 * The filter a step runs under, for a kernel of this architecture (`process.arch`): calls of other architectures'
 * binaries fail with ENOSYS, calls that are not allowed with EPERM. Throws RUNTIME_UNAVAILABLE for an unknown
 * architecture.
 */
export function seccompFilter(arch: string): readonly FilterInstruction[] {
  const known = abis[arch];
  if (known === undefined) {
    throw new BuildError("RUNTIME_UNAVAILABLE", `no seccomp filter for architecture ${arch}: want x64 or arm64`);
  }
  const program: FilterInstruction[] = [instruction(load, archOffset)];
  for (const { audit, column } of known) {
    // x32 has x86-64's architecture and numbers from 2^30 on; they fall into the last, denied segment
    const body = [instruction(load, numberOffset), ...search(segmentsOf(column))];
    program.push(instruction(jumpEqual, audit, 1, 0), instruction(jumpAlways, body.length), ...body);
  }
  return [...program, answer(failWith(ENOSYS))];
}

/** The program as the kernel takes it: 8 bytes an instruction. */
export function encodeFilter(program: readonly FilterInstruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, jumpTrue, jumpFalse, value }, index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  });
  return bytes;
}
