import { createRequire } from "node:module";
import type { KoffiFunc, LibraryHandle } from "koffi";
import { BuildError } from "../base/errors.ts";

type Koffi = typeof import("koffi");
/** What a C function takes: integers, pointers as addresses or buffers, null pointers. */
export type NativeArgument = number | bigint | Uint8Array | null;

export type NativeFunction = KoffiFunc<(...args: NativeArgument[]) => number | bigint>;

/** The C library of this process. Loaded on first use, because loading costs 8 ms that most commands need not pay. */
let loaded: { readonly koffi: Koffi; readonly libc: LibraryHandle } | undefined;

function load(): { readonly koffi: Koffi; readonly libc: LibraryHandle } {
  if (loaded === undefined) {
    try {
      const koffi = createRequire(import.meta.url)("koffi") as Koffi;
      loaded = { koffi, libc: koffi.load(null) };
    } catch (error) {
      throw new BuildError("RUNTIME_UNAVAILABLE", `system calls cannot be made: package koffi does not load`, {
        hint: "reinstall tsbuild on this machine: koffi has a native part for each platform",
        cause: error,
      });
    }
  }
  return loaded;
}

/** A function of the C library, given its C prototype, bound now and without anything around it. */
export const bindLibc = (prototype: string): NativeFunction => load().libc.func(prototype) as NativeFunction;

/**
 * A function of the C library, given its C prototype; bound on its first call. It returns what C returns; after a
 * failure `lastErrno` tells why. Throws RUNTIME_UNAVAILABLE when the native part of koffi is missing.
 */
export function libcFunction(prototype: string): (...args: NativeArgument[]) => number {
  let bound: NativeFunction | undefined;
  return (...args) => {
    bound ??= bindLibc(prototype);
    return Number(bound(...args));
  };
}

/** errno of this thread's last call. */
export const lastErrno = (): number => load().koffi.errno();

/** Where a buffer's bytes lie; valid as long as the caller keeps the buffer. */
export const addressOf = (buffer: Uint8Array): bigint => BigInt(load().koffi.address(buffer));

/** Throws RUNTIME_UNAVAILABLE when native functions cannot be called here. */
export function requireNative(): void {
  load();
}

/** `bytes` as a C string. */
export function cString(bytes: Uint8Array | string): Buffer {
  const source = typeof bytes === "string" ? Buffer.from(bytes, "utf8") : bytes;
  const result = Buffer.allocUnsafe(source.length + 1);
  result.set(source);
  result[source.length] = 0;
  return result;
}
