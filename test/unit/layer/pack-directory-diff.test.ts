import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readLayerIndex } from "../../../src/layer/layer-index.ts";
import { packDirectoryDiff } from "../../../src/layer/pack-directory-diff.ts";
import { streamLayerTar } from "../../../src/layer/stream-layer-tar.ts";
import { setXattr } from "../../../src/sys/xattr.ts";
import { dir, file, hardlink, type LayerItem, makeLayers, symlink, whiteout } from "../../support/layer-builder.ts";
import { listTree } from "../../support/list-tree.ts";
import { needsOverlay, runInOverlay, unpackAll } from "../../support/overlay.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();

const base: readonly LayerItem[] = [
  dir("d"),
  file("d/a", "aaaa"),
  file("d/b", "bbbb"),
  dir("d/sub"),
  file("d/sub/c", "cccc"),
  dir("etc", { mode: 0o711, uid: 3 }),
  file("etc/conf", "conf"),
  file("f", "ffff", { mode: 0o600 }),
  hardlink("g", "f", { mode: 0o600 }),
  symlink("l", "d/a"),
];

async function pack(script: string, layers: readonly (readonly LayerItem[])[] = [base]) {
  const lower = await unpackAll(makeLayers(join(temporary.path, "lower"), layers));
  const upper = join(temporary.path, "upper");
  runInOverlay(
    lower.map((layer) => layer.directory as string),
    upper,
    script,
  );
  return packUpper(lower, upper);
}

function packUpper(lower: Parameters<typeof packDirectoryDiff>[0]["lower"], upper: string) {
  const into = join(temporary.path, "packed");
  mkdirSync(into);
  const packed = packDirectoryDiff({ upper, lower, into, keepTar: true, overlayXattrs: "trusted" });
  const rows = [...readLayerIndex(join(into, "index"))];
  return { packed, rows, into, upper };
}

const brief = (rows: Awaited<ReturnType<typeof pack>>["rows"]): string[] =>
  rows.map((row) => `${row.path} ${row.type}${row.target === null ? "" : ` ${row.target}`}`);

describe.skipIf(needsOverlay !== null)(
  `what a step changed${needsOverlay === null ? "" : ` (skipped: ${needsOverlay})`}`,
  () => {
    test.each<[string, string, readonly string[]]>([
      ["nothing", ":", []],
      ["a new file, behind its ancestors", "echo x > d/sub/new", ["d directory", "d/sub directory", "d/sub/new file"]],
      ["new directories", "mkdir -p n/m", ["n directory", "n/m directory"]],
      ["other content", "echo other > d/a", ["d directory", "d/a file"]],
      ["a new mode", "chmod 640 d/a", ["d directory", "d/a file"]],
      ["a new owner", "chown 5:6 d/sub", ["d directory", "d/sub directory"]],
      ["a new time of a file", "touch -d @1700000000 d/a", ["d directory", "d/a file"]],
      ["a new time of a directory alone is none", "touch -d @1700000000 d/sub", []],
      [
        "a file written again with equal content, mode and time",
        't=$(stat -c %y d/a); cat d/a > x; cat x > d/a; rm x; touch -d "$t" d/a',
        [],
      ],
      [
        "equal size and time, other content",
        "printf AAAA > d/a; touch -d @1600000000 d/a",
        ["d directory", "d/a file"],
      ],
      ["a mode changed and changed back", "chmod 600 d/a; chmod 644 d/a", []],
      ["a file is gone", "rm d/a", ["d directory", "d/a whiteout"]],
      ["a directory is gone", "rm -r d", ["d whiteout"]],
      ["made and removed again", "echo x > d/new; rm d/new; mkdir y; rmdir y", []],
      ["an emptied directory", "rm -r d/*", ["d directory", "d/a whiteout", "d/b whiteout", "d/sub whiteout"]],
      [
        "a directory made anew has whiteouts, not an opaque mark",
        "rm -r d; mkdir d; echo x > d/c",
        ["d directory", "d/a whiteout", "d/b whiteout", "d/c file", "d/sub whiteout"],
      ],
      [
        "below a directory made anew too",
        "rm -r d; mkdir -p d/sub; echo x > d/sub/x",
        ["d directory", "d/a whiteout", "d/b whiteout", "d/sub directory", "d/sub/c whiteout", "d/sub/x file"],
      ],
      ["a file becomes a directory, without whiteout", "rm f; mkdir f; echo x > f/x", ["f directory", "f/x file"]],
      ["a directory becomes a file, without whiteout", "rm -r d; echo x > d", ["d file"]],
      ["a file becomes a link", "rm f; ln -s x f", ["f symlink x"]],
      ["another link target", "ln -sfn d/b l", ["l symlink d/b"]],
      [
        "hard links of one step",
        "echo x > z; ln z y; ln z d/w",
        ["d directory", "d/w file", "y hardlink d/w", "z hardlink d/w"],
      ],
      ["a hard link to a lower file is a plain file", "ln d/a d/new", ["d directory", "d/new file"]],
      ["hard links to links", "ln -s x s; ln s t", ["s symlink x", "t hardlink s"]],
      ["one of two lower hard links changes alone", "chmod 644 g", ["g file"]],
      ["fifos and devices", "mkfifo p; mknod c c 1 3; mknod b b 259 70000", ["b block", "c char", "p fifo"]],
      ["a renamed file", "mv d/a d/z", ["d directory", "d/a whiteout", "d/z file"]],
      ["a deleted name that was not there", "mkdir q; rmdir q; touch q; rm q", []],
      ["odd names", "printf x > \"$(printf 'n\\377\\nx')\"; printf x > 'é'", ["n\udcff\nx file", "é file"]],
      [
        "a name between a directory and its content",
        "echo x > d.x; echo x > d/x",
        ["d directory", "d/x file", "d.x file"],
      ],
    ])("%s", async (_name, script, want) => {
      expect(brief((await pack(script)).rows)).toEqual(want);
    });

    test("entries have the metadata they have in the merged tree", async () => {
      const { rows } = await pack(
        "echo x > etc/new; chmod 6711 etc/new; chown 7:8 etc/new; touch -d @1234567890.987 etc/new; mknod c c 259 70000; ln -s x s; chown -h 9:9 s",
      );
      const facts = rows.map(({ path, mode, uid, gid, device, mtimeNanos }) => ({
        path,
        mode,
        uid,
        gid,
        device,
        mtimeNanos,
      }));
      expect(facts).toEqual([
        { path: "c", mode: 0o644, uid: 0, gid: 0, device: { major: 259, minor: 70_000 }, mtimeNanos: 0 },
        { path: "etc", mode: 0o711, uid: 3, gid: 0, device: null, mtimeNanos: 0 },
        { path: "etc/new", mode: 0o711, uid: 7, gid: 8, device: null, mtimeNanos: 0 },
        { path: "s", mode: 0o777, uid: 9, gid: 9, device: null, mtimeNanos: 0 },
      ]);
      expect(rows.find((row) => row.path === "etc/new")?.mtimeSeconds).toBe(1_234_567_890);
    });

    test("whiteouts concern what the whole stack shows", async () => {
      const { rows } = await pack("rm d/b; rm d/new", [base, [dir("d"), whiteout("d/a"), file("d/new", "x")]]);
      expect(brief(rows)).toEqual(["d directory", "d/b whiteout", "d/new whiteout"]);
    });

    test("the upper directory keeps nothing that is not in the layer", async () => {
      const { rows, upper } = await pack(
        "touch d/sub; chmod 600 d/a; chmod 644 d/a; chmod 640 etc/conf; echo x > f; echo n > etc/n; rm etc/n; touch -d @1650000000 etc",
      );
      expect(brief(rows)).toEqual(["etc directory", "etc/conf file", "f file"]);
      expect(listTree(upper)).toEqual(["etc/", "etc/conf = conf", "f = x\n"]);
      expect(statSync(join(upper, "etc")).mtimeMs).toBe(1_650_000_000_000);
    });

    test("sockets are left out", async () => {
      const upper = join(temporary.path, "upper");
      mkdirSync(upper);
      const server = createServer().listen(join(upper, "socket"));
      await new Promise((resolve) => server.once("listening", resolve));
      const { rows } = packUpper([], upper);
      server.close();
      expect(rows).toEqual([]);
    });

    test("of the extended attributes only the capability is kept", async () => {
      const upper = join(temporary.path, "upper");
      mkdirSync(upper);
      writeFileSync(join(upper, "f"), "x");
      const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
      setXattr(Buffer.from(join(upper, "f")), "user.x", Buffer.from("y"));
      setXattr(Buffer.from(join(upper, "f")), "security.capability", capability);
      expect(packUpper([], upper).rows[0]?.xattrs).toEqual({ "security.capability": capability.toString("base64") });
    });

    test("what overlayfs left as a mere reference is not taken for content", async () => {
      const upper = join(temporary.path, "upper");
      mkdirSync(join(upper, "d"), { recursive: true });
      setXattr(Buffer.from(join(upper, "d")), "trusted.overlay.redirect", Buffer.from("/other"));
      expect(() => packUpper([], upper)).toThrow(expect.objectContaining({ code: "RUNTIME_SETUP_FAILED" }));
    });

    test("the tar can be made again from index and directory, byte for byte", async () => {
      const { packed, into, upper } = await pack(
        "echo x > z; ln z y; mkfifo p; rm f; chmod 700 d; head -c 2000000 /dev/urandom > d/big; ln -s x s",
      );
      const layer = { diffId: packed.diffId, indexFile: join(into, "index"), tarFile: null, directory: upper };
      const again = Buffer.concat([...streamLayerTar(layer)]);
      expect(again.equals(readFileSync(join(into, "tar")))).toBe(true);
      writeFileSync(join(upper, "z"), "y\n");
      expect(() => [...streamLayerTar(layer)]).toThrow(expect.objectContaining({ code: "BLOB_DIGEST_MISMATCH" }));
      writeFileSync(join(upper, "z"), "longer");
      expect(() => [...streamLayerTar(layer)]).toThrow(expect.objectContaining({ code: "CONTEXT_FILE_CHANGED" }));
    });
  },
);
