// Prints the tree of the current directory as JSON, depth first, names in hex and sorted by byte.
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

const types = [
  ["isFile", "file"],
  ["isDirectory", "directory"],
  ["isSymbolicLink", "symlink"],
  ["isFIFO", "fifo"],
  ["isCharacterDevice", "char"],
  ["isBlockDevice", "block"],
];
const entries = [];

function walk(directory) {
  const host = (name) => Buffer.concat([directory, name]);
  for (const name of readdirSync(host(Buffer.from(".")), { encoding: "buffer" }).sort(Buffer.compare)) {
    const path = host(name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    // In a directory that only one layer has, overlayfs lists whiteouts as names that do not exist.
    if (stat === undefined) continue;
    const type = types.find(([is]) => stat[is]())?.[1];
    entries.push({
      path: path.subarray(2).toString("hex"),
      type,
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      mtimeSeconds: Math.floor(stat.mtimeMs / 1000),
      target: type === "symlink" ? readlinkSync(path, { encoding: "buffer" }).toString("hex") : null,
      content: type === "file" ? readFileSync(path).toString("hex") : null,
    });
    if (type === "directory") walk(Buffer.concat([path, Buffer.from("/")]));
  }
}

walk(Buffer.from("./"));
process.stdout.write(JSON.stringify(entries));
