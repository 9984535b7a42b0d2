import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BuildError } from "../base/errors.ts";
import { formatPlatform, hostPlatform, type Platform } from "../image/platform.ts";
import { hasErrno } from "../sys/system-error.ts";

const handlerDirectory = "/proc/sys/fs/binfmt_misc";

/** Class (32 or 64 bits), byte order and machine number in the ELF header of an architecture's programs. */
const elfIdentity: ReadonlyMap<string, { readonly class: 1 | 2; readonly order: 1 | 2; readonly machine: number }> =
  new Map([
    ["386", { class: 1, order: 1, machine: 3 }],
    ["amd64", { class: 2, order: 1, machine: 62 }],
    ["arm", { class: 1, order: 1, machine: 40 }],
    ["arm64", { class: 2, order: 1, machine: 183 }],
    ["loong64", { class: 2, order: 1, machine: 258 }],
    ["mips", { class: 1, order: 2, machine: 8 }],
    ["mipsle", { class: 1, order: 1, machine: 8 }],
    ["mips64", { class: 2, order: 2, machine: 8 }],
    ["mips64le", { class: 2, order: 1, machine: 8 }],
    ["ppc64", { class: 2, order: 2, machine: 21 }],
    ["ppc64le", { class: 2, order: 1, machine: 21 }],
    ["riscv64", { class: 2, order: 1, machine: 243 }],
    ["s390x", { class: 2, order: 2, machine: 22 }],
  ]);

/** Architectures whose programs a processor runs besides its own. */
const alsoNative: ReadonlyMap<string, readonly string[]> = new Map([
  ["amd64", ["386"]],
  ["arm64", ["arm"]],
]);

/**
 * Throws RUNTIME_UNAVAILABLE when programs of `platform` do not run here: neither natively nor by a handler the kernel
 * knows (binfmt_misc). `command` says what wants to run, for the message: "RUN make".
 */
export function requireProgramsOf(
  platform: Platform,
  command: string,
  machine: Platform = hostPlatform(),
  directory: string = handlerDirectory,
): void {
  if (isNative(platform, machine)) return;
  const problem = platform.os === machine.os ? problemOfHandlers(platform, directory) : noHandler;
  if (problem === null) return;
  throw new BuildError(
    "RUNTIME_UNAVAILABLE",
    `${command}: programs for ${formatPlatform(platform)} do not run on this ${formatPlatform(machine)} machine: ${problem}`,
    {
      hint:
        platform.os === machine.os
          ? "install emulation (qemu-user-static and binfmt-support, or: docker run --privileged --rm tonistiigi/binfmt --install all), or build the stage with FROM --platform=$BUILDPLATFORM"
          : `build on ${platform.os}`,
    },
  );
}

function isNative(platform: Platform, machine: Platform): boolean {
  if (platform.os !== machine.os) return false;
  if (platform.architecture === machine.architecture) return true;
  return alsoNative.get(machine.architecture)?.includes(platform.architecture) === true;
}

const noHandler = "no handler for them is registered";

/** Why no handler takes the platform's programs; null when one does. */
function problemOfHandlers(platform: Platform, directory: string): string | null {
  const header = elfHeaderOf(platform.architecture);
  if (header === null) return "their format is not known";
  let problem = noHandler;
  for (const { name, text } of handlersIn(directory)) {
    if (!matches(text, header)) continue;
    if (!/^enabled$/m.test(text)) problem = `the handler ${name} is switched off`;
    // Without F the emulator is looked up in the image, where it is not.
    else if (!/^flags: .*F/m.test(text)) problem = `the handler ${name} does not keep its emulator open (flag F)`;
    else return null;
  }
  return problem;
}

interface Handler {
  readonly name: string;
  /** As the kernel shows it (Documentation/admin-guide/binfmt-misc.rst). */
  readonly text: string;
}

function handlersIn(directory: string): readonly Handler[] {
  try {
    if (!/^enabled/.test(readFileSync(join(directory, "status"), "utf8"))) return [];
    return readdirSync(directory)
      .filter((name) => name !== "status" && name !== "register")
      .map((name) => ({ name, text: readFileSync(join(directory, name), "utf8") }));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "EACCES")) return [];
    throw error;
  }
}

/** Whether a handler of the kind "magic" takes a file that begins with `header`. */
function matches(handler: string, header: Buffer): boolean {
  const field = (name: string): string | undefined => new RegExp(`^${name} (\\S+)$`, "m").exec(handler)?.[1];
  const magic = Buffer.from(field("magic") ?? "", "hex");
  const offset = Number(field("offset") ?? "0");
  if (magic.length === 0 || offset + magic.length > header.length) return false;
  const mask = Buffer.from(field("mask") ?? "ff".repeat(magic.length), "hex");
  return magic.every((byte, at) => (((header[offset + at] ?? 0) ^ byte) & (mask[at] ?? 0xff)) === 0);
}

/** The first bytes of an executable of an architecture; null for one that is not known. */
function elfHeaderOf(architecture: string): Buffer | null {
  const identity = elfIdentity.get(architecture);
  if (identity === undefined) return null;
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, identity.class, identity.order, 1]);
  const executable = 2;
  for (const [at, value] of [
    [16, executable],
    [18, identity.machine],
  ] as const) {
    if (identity.order === 1) header.writeUInt16LE(value, at);
    else header.writeUInt16BE(value, at);
  }
  return header;
}
