import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { getXattr, listXattrs, removeXattr, setXattr } from "../../../src/sys/xattr.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "xattr-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe.skipIf(process.platform !== "linux")("extended attributes", () => {
  const file = (): Buffer => {
    const path = join(directory, "f");
    writeFileSync(path, "");
    return Buffer.from(path);
  };

  test("a value comes back byte by byte, also an empty one and one with NULs", () => {
    const path = file();
    setXattr(path, "user.a", Buffer.from([0, 255, 0]));
    setXattr(path, "user.empty", Buffer.alloc(0));
    expect(getXattr(path, "user.a")).toEqual(Buffer.from([0, 255, 0]));
    expect(getXattr(path, "user.empty")).toEqual(Buffer.alloc(0));
    expect([...listXattrs(path)].filter((name) => name.startsWith("user.")).sort()).toEqual(["user.a", "user.empty"]);
  });

  test("a value larger than the first buffer comes back whole", () => {
    const path = file();
    const value = Buffer.alloc(2000, 7);
    setXattr(path, "user.big", value);
    expect(getXattr(path, "user.big")).toEqual(value);
  });

  test("an attribute that is not there is null, and may be removed", () => {
    const path = file();
    expect(getXattr(path, "user.none")).toBeNull();
    removeXattr(path, "user.none");
    setXattr(path, "user.one", Buffer.from("1"));
    removeXattr(path, "user.one");
    expect(getXattr(path, "user.one")).toBeNull();
  });

  test("a link is not followed", () => {
    setXattr(file(), "user.a", Buffer.from("1"));
    symlinkSync("f", join(directory, "link"));
    expect(getXattr(Buffer.from(join(directory, "link")), "user.a")).toBeNull();
  });

  test("a file that is not there is an error with call, path and errno", () => {
    const path = join(directory, "none");
    expect(() => getXattr(Buffer.from(path), "user.a")).toThrow(
      expect.objectContaining({
        code: "SYSTEM_CALL_FAILED",
        details: { call: "lgetxattr", path, errno: "ENOENT" },
      }),
    );
  });
});
