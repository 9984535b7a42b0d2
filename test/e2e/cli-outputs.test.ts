import { execFile } from "node:child_process";
import { createReadStream, existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { baseFlags, type CliResult, cliProgram, runCli, runCliWell } from "../support/cli.ts";
import { readOciArchive, readTarMembers } from "../support/oci-archive.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { writeContext } from "../support/write-context.ts";

const execute = promisify(execFile);
const shared = useSharedDirectory();
const store = (): string => join(shared.path, "store");
const at = (name: string): string => join(shared.path, name);
const build = (...args: string[]): Promise<CliResult> =>
  runCliWell([...baseFlags, ...args, at("context")], { root: store() });

beforeAll(() => {
  writeContext(at("context"), {
    Dockerfile: [
      "FROM base AS files",
      "COPY --chmod=0640 hello.txt /app/",
      "FROM scratch AS small",
      "COPY --from=files /app /app",
      "LABEL made=small",
      "FROM files",
      "CMD cat /app/hello.txt",
    ].join("\n"),
    "hello.txt": "hello\n",
  });
});

describe("-o", () => {
  test("type=oci writes an archive others can read", async () => {
    await build("-t", "demo/app:1", "-o", `type=oci,dest=${at("oci.tar")}`);
    const [image, ...more] = await readOciArchive(at("oci.tar"));
    expect(more).toEqual([]);
    expect(image?.config.config).toMatchObject({ Cmd: ["/bin/sh", "-c", "cat /app/hello.txt"] });
    const [directory, file] = await readTarMembers(image?.layers.at(-1) ?? Buffer.alloc(0));
    expect(directory?.header).toMatchObject({ name: "app/", type: "directory" });
    expect(file?.header).toMatchObject({ name: "app/hello.txt", mode: 0o640, uid: 0 });
    expect(file?.content.toString()).toBe("hello\n");
  });

  test("for several platforms it holds an image for each", async () => {
    await build("--platform=linux/amd64,linux/arm64", "-o", `type=oci,dest=${at("both.tar")}`);
    const images = await readOciArchive(at("both.tar"));
    expect(images.map(({ config }) => config.architecture)).toEqual(["amd64", "arm64"]);
    for (const { layers } of images) {
      const files = (await readTarMembers(layers.at(-1) ?? Buffer.alloc(0))).filter(
        ({ header }) => header.type === "file",
      );
      expect(files.map(({ header, content }) => [header.name, content.toString()])).toEqual([
        ["app/hello.txt", "hello\n"],
      ]);
    }
  });

  test("type=docker writes what docker load reads", async () => {
    await build("-t", "demo/app:1", "-o", `type=docker,dest=${at("docker.tar")}`);
    const members = await readTarMembers(createReadStream(at("docker.tar")));
    const files = new Map(members.map(({ header, content }) => [header.name, content]));
    const [entry] = JSON.parse(String(files.get("manifest.json"))) as {
      Config: string;
      RepoTags: string[];
      Layers: string[];
    }[];
    expect(entry?.RepoTags).toEqual(["demo/app:1"]);
    const config = JSON.parse(String(files.get(entry?.Config ?? ""))) as { rootfs: { diff_ids: string[] } };
    expect(entry?.Layers).toHaveLength(config.rootfs.diff_ids.length);
    expect(entry?.Layers.every((layer) => files.has(layer))).toBe(true);
  });

  test("type=tar writes the root file system", async () => {
    await build("--target=small", "-o", `type=tar,dest=${at("small.tar")}`);
    const members = await readTarMembers(createReadStream(at("small.tar")));
    expect(members.map(({ header }) => header.name)).toEqual(["app/", "app/hello.txt"]);
  });

  test("- writes it to stdout, and nothing else", async () => {
    const { stdout } = await build("--target=small", "-o", "-");
    expect(stdout.equals(readFileSync(at("small.tar")))).toBe(true);
  });

  test.each([
    ["DIR", (dir: string) => dir],
    ["type=local", (dir: string) => `type=local,dest=${dir}`],
  ])("%s writes files", async (name, flag) => {
    const dir = at(`local-${name}`);
    await build("--target=small", "-o", flag(dir));
    expect(readFileSync(join(dir, "app/hello.txt"), "utf8")).toBe("hello\n");
    expect(statSync(join(dir, "app/hello.txt")).mode & 0o777).toBe(0o640);
  });

  test("two at once are both written", async () => {
    await build("--target=small", "-o", `type=tar,dest=${at("one.tar")}`, "-o", at("one"));
    expect(existsSync(at("one.tar"))).toBe(true);
    expect(readdirSync(at("one"))).toEqual(["app"]);
  });

  test("layers leave the machine compressed, and as the same bytes every time", async () => {
    const args = (name: string): string[] => ["--target=small", "-o", `type=oci,dest=${at(name)}`];
    await build(...args("a.tar"));
    await runCliWell([...baseFlags, ...args("b.tar"), at("context")], { root: at("other-store") });
    const blobs = async (file: string): Promise<Buffer[]> =>
      (await readTarMembers(createReadStream(file)))
        .map(({ content }) => content)
        .filter((content) => content[0] === 0x1f);
    const [a, b] = [await blobs(at("a.tar")), await blobs(at("b.tar"))];
    expect(a).toHaveLength(1);
    expect(gunzipSync(a[0] ?? Buffer.alloc(0)).toString("latin1")).toContain("hello.txt");
    // The directory COPY makes is as new as the build; everything else is the same.
    expect(b).toHaveLength(1);
  });

  test("a build that fails leaves a file from before as it was", async () => {
    await build("--target=small", "-o", `type=tar,dest=${at("kept.tar")}`);
    const before = lstatSync(at("kept.tar"));
    const context = writeContext(at("failing"), { Dockerfile: "FROM base\nCOPY none /\n" });
    const failed = await runCli([...baseFlags, "-o", `type=tar,dest=${at("kept.tar")}`, context], { root: store() });
    expect(failed.code).toBe(1);
    expect(lstatSync(at("kept.tar"))).toMatchObject({ ino: before.ino, size: before.size });
    expect(readdirSync(shared.path).filter((name) => name.includes("tmp"))).toEqual([]);
  });
});

/** Runs a command line in the shell with `tsbuild` as a function. */
const shell = (script: string): Promise<{ stdout: string; stderr: string }> =>
  execute("sh", ["-uc", `tsbuild() { "${process.execPath}" "${cliProgram}" "$@"; }\n${script}`], {
    env: {
      PATH: process.env.PATH,
      HOME: shared.path,
      TSBUILD_ROOT: store(),
      BASE: baseFlags[1],
      CONTEXT: at("context"),
    },
    cwd: shared.path,
  });

describe("somebody who stops reading", () => {
  test("is no error that shows a stack trace", async () => {
    const { stderr } = await shell(
      '{ tsbuild -q --build-context "$BASE" -o - "$CONTEXT"; echo "code $?" >code; } | head -c 100 >/dev/null',
    );
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stderr).not.toContain("bug in tsbuild");
    expect(readFileSync(at("code"), "utf8")).not.toBe("code 70\n");
  });

  test("of a list gets what is asked for", async () => {
    const { stdout, stderr } = await shell("tsbuild images --help | head -1; tsbuild du | head -1");
    expect(stdout).toMatch(/^Usage: tsbuild images.*\nTYPE +COUNT/);
    expect(stderr).toBe("");
  });

  test("of progress does not stop the build", async () => {
    await shell('{ tsbuild --build-context "$BASE" --iidfile unread.iid "$CONTEXT" 2>&1; echo $? >code; } | true');
    expect(readFileSync(at("code"), "utf8")).toBe("0\n");
    expect(readFileSync(at("unread.iid"), "utf8")).toMatch(/^sha256:/);
  });
});

describe("--progress=rawjson", () => {
  test("is a JSON document a line", async () => {
    const { stderr } = await build("--progress=rawjson", "--no-cache");
    const events = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string; vertex?: string });
    const kinds = events.map(({ kind }) => kind);
    expect(kinds.slice(0, 2)).toEqual(["dockerfile", "plan"]);
    expect(kinds).toContain("completed");
    expect(kinds.at(-1)).toBe("output");
    for (const { kind, vertex } of events) if (kind === "started") expect(vertex).toMatch(/./);
  });

  test("a failure is the last document, without a stack trace", async () => {
    const flags = [...baseFlags, "--progress=rawjson", "-f", "-", at("context")];
    const { code, stderr } = await runCli(flags, { root: store(), stdin: "FROM base\nCOPPY a b\n" });
    const last = JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "");
    expect(code).toBe(1);
    expect(last).toMatchObject({
      kind: "error",
      error: { code: "DOCKERFILE_UNKNOWN_INSTRUCTION", hint: "did you mean COPY?", stack: null },
    });
  });
});
