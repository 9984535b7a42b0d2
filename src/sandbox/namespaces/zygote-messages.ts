import type { WireError } from "../../base/errors.ts";
import type { ChildEnd } from "../../sys/fork.ts";
import type { TerminalSize } from "../runtime.ts";
import type { SandboxSpec } from "../sandbox-spec.ts";

/** The descriptor of the connection in the zygote. */
export const connectionDescriptor = 3;

/** What the zygote is asked for; `step` is a number the asking side chose, `signal` the one a step is to get. */
export interface ZygoteRequest {
  readonly kind: "start" | "kill";
  readonly step: number;
  readonly signal: number;
}

const kinds = ["start", "kill"] as const;

/** Bytes of a request. */
export const requestLength = 12;

/** A request has a fixed length, so that the descriptors of one never come with another one. */
export function encodeRequest({ kind, step, signal }: ZygoteRequest): Buffer {
  const bytes = Buffer.alloc(requestLength);
  bytes.writeUInt32LE(kinds.indexOf(kind), 0);
  bytes.writeUInt32LE(step, 4);
  bytes.writeUInt32LE(signal, 8);
  return bytes;
}

export const decodeRequest = (bytes: Buffer): ZygoteRequest => ({
  kind: kinds[bytes.readUInt32LE(0)] ?? "kill",
  step: bytes.readUInt32LE(4),
  signal: bytes.readUInt32LE(8),
});

/** What a step is to be; the content of its file. */
export interface StepOrder {
  readonly spec: SandboxSpec;
  /** Size of the terminal it makes itself; null for none. */
  readonly terminal: TerminalSize | null;
}

/** What a step is made of, as descriptors: a file with its order as JSON, pipes for its output and for its report. */
export interface StepDescriptors {
  readonly order: number;
  readonly stdout: number;
  readonly stderr: number;
  readonly report: number;
  /** A pipe it reads from, or a socket to which it sends the other side of its terminal; null for neither. */
  readonly input: number | null;
}

/** What the zygote tells, one JSON value a line. `pid` is the number that processes outside of the sandboxes know. */
export type ZygoteMessage =
  | { readonly kind: "started"; readonly step: number; readonly pid: number }
  | { readonly kind: "ended"; readonly step: number; readonly end: ChildEnd }
  | { readonly kind: "failed"; readonly step: number; readonly error: WireError };

/** A file or directory made only so that something can be mounted on it. `path` is real: no symlinks, no leading "/". */
export interface MountStub {
  readonly path: string;
  readonly type: "file" | "directory";
}

/** What the first process of a sandbox reports, one JSON value a line; the program is executed after it without `failed`. */
export type StepReport =
  | { readonly kind: "prepared"; readonly stubs: readonly MountStub[] }
  | { readonly kind: "failed"; readonly error: WireError };

/** The JSON values of a text that has one a line. */
export const parseLines = <T>(text: string): readonly T[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
