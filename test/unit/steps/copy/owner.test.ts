import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { FileTree } from "../../../../src/layer/file-tree.ts";
import { openRootfsView } from "../../../../src/layer/rootfs-view.ts";
import { lookupOwner } from "../../../../src/steps/copy/owner.ts";
import { dir, file, type LayerItem, makeLayer, symlink } from "../../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
const tree = (items: readonly LayerItem[]): FileTree =>
  openRootfsView([makeLayer(join(temporary.path, "layer"), items)]);

const users = "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n12:x:77:78::/:/bin/sh\n";
const groups = "root:x:0:\nstaff:x:50:app\n";

describe("lookupOwner", () => {
  test.each([
    ["0", "0:0"],
    ["4321", "4321:4321"],
    ["5:6", "5:6"],
    ["app", "1000:1001"],
    ["app:staff", "1000:50"],
    ["app:7", "1000:7"],
    ["5:staff", "5:50"],
    ["app:ghosts", "1000:1001"],
    ["5:ghosts", "5:5"],
    ["ghost", "0:0"],
    ["ghost:staff", "0:50"],
    [":staff", "0:50"],
    ["app:", "1000:0"],
    ["5:", "5:0"],
    ["12", "12:12"],
    ["root:root", "0:0"],
    ["-1", "0:0"],
    ["2147483648", "0:0"],
  ])("%s is %s", (text, owner) => {
    const root = tree([dir("etc"), file("etc/passwd", users), file("etc/group", groups)]);
    const { uid, gid } = lookupOwner(text, root);
    expect(`${uid}:${gid}`).toBe(owner);
  });

  test("follows links to the files inside the root", () => {
    const root = tree([
      dir("etc"),
      symlink("etc/passwd", "/nix/../../../users"),
      symlink("etc/group", "../groups"),
      file("users", users),
      file("groups", groups),
    ]);
    expect(lookupOwner("app:staff", root)).toEqual({ uid: 1000, gid: 50 });
  });

  test("finds nobody without files, or where they are directories", () => {
    expect(lookupOwner("app:staff", tree([dir("etc"), dir("etc/passwd")]))).toEqual({ uid: 0, gid: 0 });
  });

  test("needs no file system for ids and root", () => {
    expect(lookupOwner("5:6", null)).toEqual({ uid: 5, gid: 6 });
    expect(lookupOwner("root:root", null)).toEqual({ uid: 0, gid: 0 });
  });

  test.each(["app", "5:staff"])("refuses the name in %s without a file system", (text) => {
    expect(() => lookupOwner(text, null)).toThrow(expect.objectContaining({ code: "DOCKERFILE_BAD_ARGUMENT" }));
  });

  test("refuses an /etc/passwd of more than 10 MiB", () => {
    const root = tree([dir("etc"), file("etc/passwd", Buffer.alloc(10 * 1024 * 1024 + 1, "\n"))]);
    expect(() => lookupOwner("app", root)).toThrow(expect.objectContaining({ code: "IMAGE_INVALID" }));
  });
});
