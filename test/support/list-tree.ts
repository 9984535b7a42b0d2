import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Everything below `root`, sorted: `path/`, `path = content`, `path -> target`. */
export function listTree(root: string, folder = ""): readonly string[] {
  return readdirSync(join(root, folder))
    .sort()
    .flatMap((name) => {
      const path = folder === "" ? name : `${folder}/${name}`;
      const stats = lstatSync(join(root, path));
      if (stats.isDirectory()) return [`${path}/`, ...listTree(root, path)];
      if (stats.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(root, path))}`];
      return [stats.isFile() ? `${path} = ${readFileSync(join(root, path), "latin1")}` : `${path} special`];
    });
}
