import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isBuildError } from "../../../../src/base/errors.ts";
import type { TreeSpec } from "../../../../src/context/tree-spec.ts";
import { hashCopy } from "../../../../src/steps/copy/hash-copy.ts";
import { dir, file, makeLayer, symlink } from "../../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();

function makeContext(): TreeSpec {
  const root = join(temporary.path, "context");
  mkdirSync(join(root, "src/lib"), { recursive: true });
  mkdirSync(join(root, "out"));
  for (const name of ["Makefile", "secret.key", "src/main.ts", "out/keep"]) writeFileSync(join(root, name), "");
  symlinkSync("/etc/passwd", join(root, "link"));
  symlinkSync("../../../elsewhere", join(root, "src/up"));
  const patterns = ["*.key", "!public.key", "out"];
  const ignore = patterns.map((pattern, index) => ({ pattern, line: index + 2 }));
  return { kind: "directory", root, ignore, ignoreFile: ".dockerignore", statCache: null };
}

function failure(
  tree: TreeSpec,
  path: string,
  parents = false,
): { readonly message: string; readonly hint: string | undefined } {
  try {
    hashCopy({ selections: [{ action: { paths: [path], excludes: [], parents }, tree }] });
  } catch (error) {
    if (isBuildError(error, "CONTEXT_PATH_NOT_FOUND")) return { message: error.message, hint: error.hint };
    throw error;
  }
  throw new Error(`${path} was found`);
}

describe("a source that does not exist", () => {
  test.each([
    ["secret.key", '"/secret.key": not found', 'it is excluded by line 2 of .dockerignore: "*.key"'],
    ["out/keep", '"/out/keep": not found', 'it is excluded by line 4 of .dockerignore: "out"'],
    ["makefile", '"/makefile": not found', 'did you mean "/Makefile"?'],
    ["src/mian.ts", '"/src/mian.ts": not found', 'did you mean "/src/main.ts"?'],
    ["scr/main.ts", '"/scr/main.ts": not found', 'did you mean "/src"?'],
    ["nothing-like-it", '"/nothing-like-it": not found', "the build context holds nothing of that name"],
    [
      "../other/x",
      '"/other/x": not found',
      '"../other/x" leads out of the build context; only what is inside can be copied, so it means "/other/x"',
    ],
    [
      "link",
      '"/link": not found',
      'it is a symbolic link to "/etc/passwd", which does not exist inside the build context',
    ],
    [
      "src/up",
      '"/src/up": not found',
      'it is a symbolic link to "../../../elsewhere", which does not exist inside the build context',
    ],
  ])("%s", (path, message, hint) => {
    expect(failure(makeContext(), path)).toEqual({ message, hint });
  });

  test("in a stage", () => {
    const items = [dir("app"), file("app/server.js", ""), symlink("bin", "usr/bin")];
    const tree: TreeSpec = { kind: "layers", layers: [makeLayer(join(temporary.path, "layer"), items)] };
    expect(failure(tree, "/app/servr.js")).toEqual({
      message: '"/app/servr.js": not found',
      hint: 'did you mean "/app/server.js"?',
    });
    expect(failure(tree, "/bin").hint).toBe(
      'it is a symbolic link to "usr/bin", which does not exist inside the stage or image',
    );
  });

  test("with --parents the whole path is named", () => {
    expect(failure(makeContext(), "src/./main.js", true)).toEqual({
      message: '"/src/main.js": not found',
      hint: 'did you mean "/src/main.ts"?',
    });
  });
});
