import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openStore } from "../../../src/store/open-store.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const temporary = useTemporaryDirectory();
const inside = (name: string): string => join(temporary.path, name);

describe("a new store", () => {
  test("is made with its parents, for nobody else", async () => {
    const store = await openStore(inside("a/b c/$(touch p);,:\\"));
    expect(statSync(store.root).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(store.root, "format"), "utf8")).toBe("tsbuild store 1\n");
    await store.close();
  });

  test("closes an existing empty directory to others", async () => {
    mkdirSync(inside("open"), { mode: 0o755 });
    await (await openStore(inside("open"))).close();
    expect(statSync(inside("open")).mode & 0o777).toBe(0o700);
  });

  test("may be a link to a directory", async () => {
    mkdirSync(inside("real"));
    symlinkSync("real", inside("link"));
    await (await openStore(inside("link"))).close();
    expect(existsSync(inside("real/format"))).toBe(true);
  });

  test("is not made among other things", async () => {
    mkdirSync(inside("home"), { mode: 0o755 });
    writeFileSync(inside("home/notes"), "");
    expect((await rejectionOf(openStore(inside("home")))).message).toContain('"notes"');
    expect(statSync(inside("home")).mode & 0o777).toBe(0o755);
    expect(readdirSync(inside("home"))).toEqual(["notes"]);
  });

  test("is made when an earlier attempt was cut short", async () => {
    mkdirSync(inside("half/layers"), { recursive: true });
    await (await openStore(inside("half"))).close();
    expect(existsSync(inside("half/format"))).toBe(true);
  });

  test.each([
    ["a file", (path: string) => writeFileSync(path, "")],
    ["below a file", (path: string) => writeFileSync(join(path, ".."), "")],
  ])("cannot be %s", async (_, prepare) => {
    rmSync(inside("x"), { recursive: true, force: true });
    const root = inside("x/y");
    if (_ === "a file") mkdirSync(inside("x"));
    prepare(root);
    const error = await rejectionOf(openStore(root));
    expect(error.code).toBe("STORE_UNWRITABLE");
    expect(error.hint).toContain("TSBUILD_ROOT");
  });
});

describe("an existing store", () => {
  test("is opened by any number at once", async () => {
    const stores = await Promise.all(Array.from({ length: 5 }, () => openStore(inside("s"))));
    expect(new Set(stores.map(({ paths }) => paths.temporary)).size).toBe(5);
    for (const store of stores) await store.close();
    expect(readdirSync(inside("s/tmp"))).toEqual([]);
  });

  test.each([
    ["tsbuild store 2\n", "STORE_TOO_NEW"],
    ["tsbuild store 999999999\n", "STORE_TOO_NEW"],
    ["", "STORE_UNWRITABLE"],
    ["something else\n", "STORE_UNWRITABLE"],
    ["tsbuild store -1\n", "STORE_UNWRITABLE"],
  ])("with format %j is refused with %s", async (format, code) => {
    await (await openStore(inside("s"))).close();
    writeFileSync(inside("s/format"), format);
    expect((await rejectionOf(openStore(inside("s")))).code).toBe(code);
  });
});

describe("temporary directories", () => {
  test("are removed with everything in them when the store is closed", async () => {
    const store = await openStore(inside("s"));
    mkdirSync(join(store.paths.temporary, "layer/dir/deep"), { recursive: true });
    writeFileSync(join(store.paths.temporary, "layer/dir/deep/file"), "");
    symlinkSync(inside("outside"), join(store.paths.temporary, "layer/link"));
    mkdirSync(inside("outside"));
    writeFileSync(inside("outside/kept"), "");
    await store.close();
    expect(readdirSync(inside("s/tmp"))).toEqual([]);
    expect(readdirSync(inside("outside"))).toEqual(["kept"]);
  });

  test("of processes that are gone are swept, those of living ones are not", async () => {
    const living = await openStore(inside("s"));
    mkdirSync(inside("s/tmp/1-gone/layer"), { recursive: true });
    writeFileSync(inside("s/tmp/1-gone/lock"), "");
    mkdirSync(inside("s/tmp/2-never-locked"));
    mkdirSync(inside("s/tmp/abc.dead/half"), { recursive: true });
    const other = await openStore(inside("s"));
    await other.close();
    expect(readdirSync(inside("s/tmp"))).toEqual([living.paths.temporary.split("/").at(-1)]);
    await living.close();
  });
});
