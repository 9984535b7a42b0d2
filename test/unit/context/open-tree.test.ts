import { execFileSync } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openTree } from "../../../src/context/open-tree.ts";
import { openTarContext } from "../../../src/context/tar-context.ts";
import { describeFileTree, type TreeItem } from "../../conformance/describe-file-tree.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const area = useTemporaryDirectory();

/** A directory of this machine with these items. */
function layOut(items: readonly TreeItem[]): string {
  const root = join(area.path, "root");
  mkdirSync(root);
  for (const item of items) {
    const path = join(root, item.path);
    mkdirSync(dirname(path), { recursive: true });
    if ("content" in item) writeFileSync(path, item.content);
    else if ("target" in item) symlinkSync(item.target, path);
    else if ("linkTo" in item) linkSync(join(root, item.linkTo), path);
    else mkdirSync(path);
    if ("mode" in item && item.mode !== undefined) chmodSync(path, item.mode);
  }
  return root;
}

describeFileTree("a directory", async (items) =>
  openTree({ kind: "directory", root: layOut(items), ignore: [], ignoreFile: null, statCache: null }),
);

describeFileTree("an archive", async (items) => {
  const file = join(area.path, "context.tar");
  execFileSync("tar", ["-cf", file, "-C", layOut(items), "."]);
  const opened = await openTarContext({ file, directory: area.path });
  if (opened.kind !== "tree") throw new Error("the archive was taken for a Dockerfile");
  return openTree(opened.tree);
});
