import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { describeDirectory } from "../../../src/context/directory-spec.ts";
import { openTree } from "../../../src/context/open-tree.ts";
import { type ControlFile, readDockerfileAt, readDockerfileFrom } from "../../../src/context/read-context-file.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const area = useTemporaryDirectory();
let root: string;

beforeEach(() => {
  root = join(area.path, "context");
  mkdirSync(join(root, "sub"), { recursive: true });
  writeFileSync(join(area.path, "token"), "hunter2");
});

const write = (path: string, content: string): void => writeFileSync(join(root, path), content);

describe.each<[string, (name: string) => ControlFile, (path: string) => string]>([
  [
    "readDockerfileFrom",
    (name) =>
      readDockerfileFrom(openTree({ kind: "directory", root, ignore: [], ignoreFile: null, statCache: null }), name),
    (path) => path,
  ],
  ["readDockerfileAt", (name) => readDockerfileAt(join(root, name)), (path) => join(root, path)],
])("%s", (_, read, named) => {
  test("reads a file by its path", () => {
    write("sub/Other", "FROM a");
    expect(read("sub/Other")).toEqual({ path: named("sub/Other"), bytes: Buffer.from("FROM a") });
  });

  test.each(["", "sub/"])("takes %jdockerfile when there is no Dockerfile", (folder) => {
    write(`${folder}dockerfile`, "lower");
    expect(read(`${folder}Dockerfile`)).toEqual({ path: named(`${folder}dockerfile`), bytes: Buffer.from("lower") });
    write(`${folder}Dockerfile`, "upper");
    expect(read(`${folder}Dockerfile`).bytes.toString()).toBe("upper");
  });

  test("takes no other name for it", () => {
    write("dockerfile.dev", "FROM a");
    write("myDockerfile", "FROM a");
    expect(thrownBy(() => read("Dockerfile.dev")).code).toBe("DOCKERFILE_NOT_FOUND");
    expect(thrownBy(() => read("mydockerfile")).code).toBe("DOCKERFILE_NOT_FOUND");
  });

  test("follows a link inside", () => {
    write("sub/real", "FROM a");
    symlinkSync("sub/real", join(root, "Dockerfile"));
    expect(read("Dockerfile").bytes.toString()).toBe("FROM a");
  });

  test("wants a regular file", () => {
    execFileSync("mkfifo", [join(root, "fifo")]);
    symlinkSync("nowhere", join(root, "dangling"));
    symlinkSync("loop", join(root, "loop"));
    for (const name of ["fifo", "sub", "dangling", "missing", "sub/missing", "sub/missing/x"])
      expect(thrownBy(() => read(name)).code).toBe("DOCKERFILE_NOT_FOUND");
    expect(["DOCKERFILE_NOT_FOUND", "CONTEXT_INVALID"]).toContain(thrownBy(() => read("loop")).code);
  });

  test("reads nothing of a file that is too long", () => {
    write("Dockerfile", "");
    truncateSync(join(root, "Dockerfile"), 10 * 2 ** 30);
    expect(thrownBy(() => read("Dockerfile")).code).toBe("DOCKERFILE_TOO_LARGE");
  });
});

test("a Dockerfile in the context that is a link out of it is not found, and nothing of it shows", () => {
  symlinkSync("../token", join(root, "Dockerfile"));
  const tree = openTree({ kind: "directory", root, ignore: [], ignoreFile: null, statCache: null });
  const error = thrownBy(() => readDockerfileFrom(tree, "Dockerfile"));
  expect(error.code).toBe("DOCKERFILE_NOT_FOUND");
  expect(error.message).not.toContain("hunter2");
  expect(thrownBy(() => readDockerfileFrom(tree, "../token")).code).toBe("DOCKERFILE_NOT_FOUND");
});

describe("describeDirectory", () => {
  const patternsOf = (dockerfile: string | null): unknown => {
    const { ignore, ignoreFile } = describeDirectory(root, dockerfile, null);
    return { patterns: ignore.map(({ pattern }) => pattern), ignoreFile };
  };

  test("without rules shows everything", () => {
    expect(patternsOf(join(root, "Dockerfile"))).toEqual({ patterns: [], ignoreFile: null });
  });

  test("takes the rules of the directory", () => {
    write(".dockerignore", "*.log\n# c\n!keep.log");
    expect(patternsOf(null)).toEqual({ patterns: ["*.log", "!keep.log"], ignoreFile: join(root, ".dockerignore") });
  });

  test("takes the rules beside the Dockerfile instead, wherever that is", () => {
    write(".dockerignore", "shared");
    write("Other.dockerignore", "own");
    expect(patternsOf(join(root, "Other"))).toEqual({
      patterns: ["own"],
      ignoreFile: join(root, "Other.dockerignore"),
    });
    expect(patternsOf(join(root, "Dockerfile"))).toMatchObject({ patterns: ["shared"] });
    writeFileSync(join(area.path, "D.dockerignore"), "outside");
    expect(patternsOf(join(area.path, "D"))).toMatchObject({ patterns: ["outside"] });
    write("Empty.dockerignore", "");
    expect(patternsOf(join(root, "Empty"))).toMatchObject({ patterns: [] });
  });

  test("does not read rules through a link that leads out", () => {
    symlinkSync("../token", join(root, ".dockerignore"));
    expect(patternsOf(null)).toEqual({ patterns: [], ignoreFile: null });
  });

  test("names the line of a malformed rule, and a root that is missing", () => {
    write(".dockerignore", "a\n[");
    expect(thrownBy(() => describeDirectory(root, null, null)).message).toContain(`${root}/.dockerignore:2:`);
    expect(thrownBy(() => describeDirectory(join(root, "missing"), null, null)).code).toBe("CONTEXT_NOT_FOUND");
  });
});
