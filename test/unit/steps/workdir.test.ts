import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readLayerIndex } from "../../../src/layer/layer-index.ts";
import { packWorkdir } from "../../../src/steps/workdir.ts";
import { dir, file, type LayerItem, makeLayer, symlink } from "../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
const nowSeconds = 1_900_000_000;

interface Workdir {
  readonly path: string;
  readonly user?: string;
  readonly epoch?: number;
  /** null: an empty file system. */
  readonly parent: readonly LayerItem[] | null;
}

function pack({ path, user = "", epoch, parent }: Workdir) {
  const workDirectory = join(temporary.path, "work");
  mkdirSync(workDirectory);
  const { layer } = packWorkdir({
    parent: parent === null ? null : { kind: "layers", layers: [makeLayer(join(temporary.path, "parent"), parent)] },
    path,
    user,
    epoch: epoch ?? null,
    nowSeconds,
    workDirectory,
  });
  const rows = [...readLayerIndex(join(workDirectory, "index"))];
  const lines = rows.map((row) => {
    const mtime = row.mtimeSeconds === nowSeconds ? "now" : String(row.mtimeSeconds);
    return `${row.type} ${row.mode.toString(8)} ${row.uid}:${row.gid} ${mtime} ${row.path}`;
  });
  return { layer, lines };
}

const etc = [dir("etc"), file("etc/passwd", "app:x:10:20::/:/bin/sh\n"), file("etc/group", "staff:x:50:\n")];

describe("packWorkdir", () => {
  test.each<[string, Workdir, readonly string[]]>([
    ["makes what is missing", { path: "/a/b", parent: [] }, ["directory 755 0:0 now a", "directory 755 0:0 now a/b"]],
    [
      "cleans the path",
      { path: "/x//./y/../z/", parent: null },
      ["directory 755 0:0 now x", "directory 755 0:0 now x/z"],
    ],
    ["clamps ..", { path: "/../../x", parent: null }, ["directory 755 0:0 now x"]],
    [
      "keeps existing directories as they are",
      { path: "/a/b", parent: [dir("a", { mode: 0o711, uid: 3 })] },
      ["directory 711 3:0 now a", "directory 755 0:0 now a/b"],
    ],
    [
      "gives new ones to the user",
      { path: "/a/b", user: "app", parent: etc },
      ["directory 755 10:20 now a", "directory 755 10:20 now a/b"],
    ],
    ["and the group", { path: "/a", user: "app:staff", parent: etc }, ["directory 755 10:50 now a"]],
    ["an unknown user is root", { path: "/a", user: "ghost", parent: etc }, ["directory 755 0:0 now a"]],
    ["an id is user and group", { path: "/a", user: "4321", parent: null }, ["directory 755 4321:4321 now a"]],
    [
      "all new ones have the epoch",
      { path: "/a/b", epoch: 7, parent: [] },
      ["directory 755 0:0 7 a", "directory 755 0:0 7 a/b"],
    ],
    [
      "follows links inside the root",
      { path: "/l/new", parent: [dir("real"), symlink("l", "/../real")] },
      ["directory 755 0:0 now real", "directory 755 0:0 now real/new"],
    ],
    [
      "makes the target of a dangling link",
      { path: "/l", parent: [symlink("l", "to/here")] },
      ["directory 755 0:0 now to", "directory 755 0:0 now to/here"],
    ],
    ["an existing directory is an empty layer", { path: "/a", parent: [dir("a")] }, []],
  ])("%s", (_, workdir, lines) => {
    expect(pack(workdir).lines).toEqual(lines);
  });

  test("the empty layer is the tar of 1024 zeros", () => {
    expect(pack({ path: "/", parent: null }).layer).toEqual({
      diffId: "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
      sizeBytes: 1024,
    });
  });

  test.each([
    ["over a file", { path: "/f", parent: [file("f", "")] }, "COPY_CONFLICT"],
    ["below a file", { path: "/f/x", parent: [file("f", "")] }, "COPY_CONFLICT"],
    ["of a named user without a file system", { path: "/a", user: "app", parent: null }, "DOCKERFILE_BAD_ARGUMENT"],
  ])("refuses a directory %s", (_, workdir, code) => {
    expect(() => pack(workdir)).toThrow(expect.objectContaining({ code }));
  });
});
