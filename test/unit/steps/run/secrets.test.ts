import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSecret } from "../../../../src/steps/run/secrets.ts";
import { useTemporaryDirectory } from "../../../support/temporary-directory.ts";
import { rejectionOf } from "../../../support/thrown-by.ts";

describe("secrets", () => {
  const temporary = useTemporaryDirectory();
  const file = (content: string | Buffer): string => {
    const path = join(temporary.path, "secret");
    writeFileSync(path, content);
    return path;
  };

  test("come from files, byte by byte, or from variables", async () => {
    const bytes = Buffer.from([0, 255, 10]);
    const sources = [
      { id: "f", kind: "file", path: file(bytes) },
      { id: "e", kind: "env", name: "TOKEN" },
    ] as const;
    expect(await readSecret("f", true, sources, {})).toEqual(bytes);
    expect(await readSecret("e", true, sources, { TOKEN: "t" })).toEqual(Buffer.from("t"));
    expect(await readSecret("e", false, sources, {})).toBeNull();
  });

  test("that were not given are an error only when they are required", async () => {
    expect(await readSecret("x", false, [], {})).toBeNull();
    expect(await rejectionOf(readSecret("x", true, [], {}))).toMatchObject({
      code: "SECRET_NOT_FOUND",
      message: "secret x: not found",
    });
  });

  test("a file that cannot be read is an error also when it is not required", async () => {
    mkdirSync(join(temporary.path, "d"));
    for (const name of ["none", "d"]) {
      const source = { id: "x", kind: "file", path: join(temporary.path, name) } as const;
      expect(await rejectionOf(readSecret("x", false, [source], {}))).toMatchObject({ code: "SECRET_NOT_FOUND" });
    }
  });

  test("have a largest size", async () => {
    const source = (size: number) => [{ id: "x", kind: "file", path: file(Buffer.alloc(size)) }] as const;
    expect(await readSecret("x", true, source(500 * 1024), {})).toHaveLength(500 * 1024);
    const error = await rejectionOf(readSecret("x", true, source(500 * 1024 + 1), {}));
    expect(error.message).toContain("more than 512000 bytes");
  });
});
