import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { describeDirectory } from "../../../src/context/directory-spec.ts";
import { openDirectoryTree } from "../../../src/context/directory-tree.ts";
import type { FileTree } from "../../../src/layer/file-tree.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

/** A context, the rules beside its Dockerfile, and what BuildKit copies of it with `COPY . /all`. */
interface IgnoreCase {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly besideDockerfile: string | null;
  readonly paths: readonly string[];
}

const cases = JSON.parse(readFileSync("fixtures/context/ignore-cases.json", "utf8")) as readonly IgnoreCase[];
const area = useTemporaryDirectory();

const pathsOf = (tree: FileTree, path: string): readonly string[] =>
  tree.list(path).flatMap((entry) => [entry.path, ...pathsOf(tree, entry.path)]);

test.each(cases)("$name: shows what BuildKit copies", ({ files, besideDockerfile, paths }) => {
  const root = join(area.path, "context");
  const dockerfile = join(area.path, "Dockerfile");
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  if (besideDockerfile !== null) writeFileSync(`${dockerfile}.dockerignore`, besideDockerfile);
  const tree = openDirectoryTree(describeDirectory(root, dockerfile, null));
  expect([...pathsOf(tree, "")].sort()).toEqual([...paths].sort());
});
