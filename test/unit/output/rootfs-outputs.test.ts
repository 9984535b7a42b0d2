import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { localDirectoryOutput } from "../../../src/output/local-directory-output.ts";
import type { PlatformImage } from "../../../src/output/output.ts";
import { rootfsTarOutput } from "../../../src/output/rootfs-tar-output.ts";
import { dir, file, hardlink, opaque, special, symlink, whiteout } from "../../support/layer-builder.ts";
import { listTar } from "../../support/list-tar.ts";
import { listTree } from "../../support/list-tree.ts";
import { useStoredImages } from "../../support/stored-images.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const images = useStoredImages();
const never = new AbortController().signal;
const out = (name = ""): string => join(images.path, "out", name);

const writeLocal = (
  built: readonly PlatformImage[],
  splitPlatforms: boolean | null = null,
  epoch: number | null = null,
) =>
  localDirectoryOutput({ destination: out(), splitPlatforms, epoch }, images.layers, images.runner).write(built, never);

async function writeTar(
  built: readonly PlatformImage[],
  splitPlatforms: boolean | null = null,
  epoch: number | null = null,
) {
  const destination = join(images.path, "rootfs.tar");
  await rootfsTarOutput({ destination, splitPlatforms, epoch }, images.layers, new PassThrough()).write(built, never);
  return listTar(readFileSync(destination));
}

const stack = [
  [dir("d"), file("d/gone", "1"), file("d/kept", "2"), dir("o"), file("o/hidden", "3"), file("z", "old")],
  [
    dir("d"),
    whiteout("d/gone"),
    dir("o", { mode: 0o750 }),
    opaque("o"),
    file("o/new", "4"),
    symlink("l", "/d/kept"),
    file("z", "new"),
  ],
  [dir("h"), file("h/a", "shared"), hardlink("h/b", "h/a")],
] as const;

describe("a rootfs tar", () => {
  test("is the merge of all layers", async () => {
    const members = await writeTar([await images.make("amd64", ...stack)]);
    expect(members.map(({ name, type, link, content }) => `${type} ${name} ${link}${content}`)).toEqual([
      "5 d/ ",
      "0 d/kept 2",
      "5 h/ ",
      "0 h/a shared",
      "1 h/b h/a",
      "2 l /d/kept",
      "5 o/ ",
      "0 o/new 4",
      "0 z new",
    ]);
    expect(members.find(({ name }) => name === "o/")?.mode).toBe(0o750);
    expect(members[1]?.mtime).toBe(1_600_000_000);
  });

  test("with an epoch has that time for everything", async () => {
    const built = [await images.make("amd64", [dir("d"), file("d/old", "", { mtimeSeconds: 5 }), symlink("l", "d")])];
    const members = await writeTar(built, true, 1000);
    expect(members.map(({ name, mtime }) => `${name} ${mtime}`)).toEqual([
      "linux_amd64/ 1000",
      "linux_amd64/d/ 1000",
      "linux_amd64/d/old 1000",
      "linux_amd64/l 1000",
    ]);
  });

  test("of several platforms has a folder for each", async () => {
    const built = [
      await images.make("arm64", [file("a", "2"), hardlink("b", "a")]),
      await images.make("amd64", [file("a", "1")]),
    ];
    const members = await writeTar(built);
    expect(members.map(({ name }) => name)).toEqual([
      "linux_amd64/",
      "linux_amd64/a",
      "linux_arm64/",
      "linux_arm64/a",
      "linux_arm64/b",
    ]);
    expect(members.at(-1)?.link).toBe("linux_arm64/a");
    expect((await rejectionOf(writeTar(built, false))).code).toBe("EXPORT_UNSUPPORTED");
  });

  test("of one platform can have a folder too", async () => {
    const members = await writeTar([await images.make("amd64", [file("a", "1")])], true);
    expect(members.map(({ name }) => name)).toEqual(["linux_amd64/", "linux_amd64/a"]);
  });
});

describe("a local directory", () => {
  test("with an epoch has that time for everything", async () => {
    const built = [await images.make("amd64", [dir("d"), file("d/f"), symlink("l", "d")])];
    await writeLocal(built, null, 1000);
    for (const name of ["d", "d/f", "l"]) expect(lstatSync(out(name)).mtimeMs).toBe(1_000_000);
  });

  test("is the merge of all layers, with modes and times", async () => {
    await writeLocal([await images.make("amd64", ...stack)]);
    expect(listTree(out())).toEqual([
      "d/",
      "d/kept = 2",
      "h/",
      "h/a = shared",
      "h/b = shared",
      "l -> /d/kept",
      "o/",
      "o/new = 4",
      "z = new",
    ]);
    expect(statSync(out("h/a")).ino).toBe(statSync(out("h/b")).ino);
    expect(statSync(out("o")).mode & 0o7777).toBe(0o750);
    for (const name of ["d", "d/kept", "l"]) expect(lstatSync(out(name)).mtimeMs).toBe(1_600_000_000_000);
  });

  test("keeps what is there and replaces what has the same name", async () => {
    mkdirSync(out("d/sub"), { recursive: true });
    mkdirSync(out("z/full"), { recursive: true });
    writeFileSync(out("d/mine"), "mine");
    writeFileSync(out("d/kept"), "old");
    writeFileSync(out("h"), "a file where a directory comes");
    await writeLocal([await images.make("amd64", ...stack)]);
    const tree = listTree(out());
    expect(tree).toContain("d/mine = mine");
    expect(tree).toContain("d/sub/");
    expect(tree).toContain("d/kept = 2");
    expect(tree).toContain("z = new");
    expect(tree).toContain("h/a = shared");
    expect(tree.filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("follows no link that was there before", async () => {
    mkdirSync(join(images.path, "victim"));
    writeFileSync(join(images.path, "victim/kept"), "token");
    mkdirSync(out());
    symlinkSync(join(images.path, "victim"), out("d"));
    symlinkSync(join(images.path, "victim/kept"), out("z"));
    await writeLocal([await images.make("amd64", ...stack)]);
    expect(listTree(join(images.path, "victim"))).toEqual(["kept = token"]);
    expect(lstatSync(out("d")).isDirectory()).toBe(true);
    expect(readFileSync(out("z"), "utf8")).toBe("new");
  });

  test("keeps links of the image verbatim and writes nothing through them", async () => {
    const victim = join(images.path, "victim");
    mkdirSync(victim);
    await writeLocal([
      await images.make(
        "amd64",
        [symlink("x", victim)],
        [dir("x"), file("x/y", "inside")],
        [symlink("up", "../../../..")],
      ),
    ]);
    expect(listTree(victim)).toEqual([]);
    expect(listTree(out())).toEqual(["up -> ../../../..", "x/", "x/y = inside"]);
  });

  test("of several platforms has a folder for each", async () => {
    await writeLocal([await images.make("amd64", [file("a", "1")]), await images.make("arm64", [file("a", "2")])]);
    expect(listTree(out())).toEqual(["linux_amd64/", "linux_amd64/a = 1", "linux_arm64/", "linux_arm64/a = 2"]);
  });

  test("is made with its parents, and not left behind after a failure", async () => {
    const destination = join(images.path, "a/b/c");
    const output = localDirectoryOutput(
      { destination, splitPlatforms: null, epoch: null },
      images.layers,
      images.runner,
    );
    const image = await images.make("amd64", [file("f", "content")]);
    const { tarFile } = await images.layers.readable(
      image.diffIds[0] ??
        (() => {
          throw new Error("no layer");
        })(),
      never,
    );
    const sound = readFileSync(tarFile ?? "");
    const damaged = Buffer.from(sound);
    damaged[512] = (damaged[512] ?? 0) ^ 1;
    writeFileSync(tarFile ?? "", damaged);
    expect((await rejectionOf(output.write([image], never))).code).toBe("BLOB_DIGEST_MISMATCH");
    expect(existsSync(join(images.path, "a"))).toBe(false);
    writeFileSync(tarFile ?? "", sound);
    await output.write([image], never);
    expect(listTree(join(images.path, "a"))).toEqual(["b/", "b/c/", "b/c/f = content"]);
  });

  const isRoot = process.geteuid?.() === 0;
  test.skipIf(!isRoot)(
    `keeps owners, devices and setuid bits as root${isRoot ? "" : " (skipped: not root)"}`,
    async () => {
      await writeLocal([
        await images.make("amd64", [
          dir("home", { uid: 12, gid: 34 }),
          file("su", "", { mode: 0o4755, uid: 56, gid: 78 }),
          symlink("l", "su", { uid: 9, gid: 9 }),
          special("null", "char", { mode: 0o666 }),
          special("pipe", "fifo"),
        ]),
      ]);
      const facts = (name: string) => {
        const { uid, gid, mode } = lstatSync(out(name));
        return [uid, gid, (mode & 0o7777).toString(8)];
      };
      expect(facts("home")).toEqual([12, 34, "755"]);
      expect(facts("su")).toEqual([56, 78, "4755"]);
      expect(facts("l").slice(0, 2)).toEqual([9, 9]);
      expect(lstatSync(out("null")).isCharacterDevice()).toBe(true);
      expect(facts("null")[2]).toBe("666");
      expect(lstatSync(out("pipe")).isFIFO()).toBe(true);
    },
  );
});
