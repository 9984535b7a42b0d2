import { execFile, execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { beforeAll, describe, expect, test } from "vitest";
import { baseFlags, type CliOptions, runCli, runCliWell } from "../support/cli.ts";
import { readTarMembers } from "../support/oci-archive.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { writeContext } from "../support/write-context.ts";

const execute = promisify(execFile);
const shared = useSharedDirectory();
const at = (name: string): string => join(shared.path, name);

/** Builds a root file system; its files by path. */
async function build(args: readonly string[], options: Omit<CliOptions, "root"> = {}): Promise<Map<string, string>> {
  const all = [...baseFlags, "-o", "-", ...args];
  const { stdout } = await runCliWell(all, { root: at("store"), cwd: shared.path, ...options });
  const members = await readTarMembers(stdout);
  return new Map(members.map(({ header, content }) => [header.name, content.toString()]));
}

const dockerfile = "FROM scratch\nCOPY hello.txt /\n";

async function tarOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
  tar.finalize();
  return buffer(tar);
}

const hasTool = (tool: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${tool}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

describe("the context", () => {
  beforeAll(() => {
    writeContext(at("context"), { Dockerfile: dockerfile, "hello.txt": "hello", "other/Containerfile": dockerfile });
  });

  test.each(["gzip", "xz", "bzip2", "zstd", "none"])("comes as a tar on stdin, compression: %s", async (tool) => {
    const tar = await tarOf({ Dockerfile: dockerfile, "hello.txt": "from a tar" });
    const compress = async (): Promise<Buffer> => {
      if (tool === "none") return tar;
      if (tool === "gzip") return gzipSync(tar);
      writeFileSync(at("plain.tar"), tar);
      return (await execute(tool, ["-c", at("plain.tar")], { encoding: "buffer" })).stdout;
    };
    if (tool !== "none" && tool !== "gzip" && !hasTool(tool)) return;
    expect(await build(["-"], { stdin: await compress() })).toEqual(new Map([["hello.txt", "from a tar"]]));
  });

  test("in a tar may have its Dockerfile anywhere", async () => {
    const files = { "build/Dockerfile": "FROM scratch\nCOPY . /\n", a: "a" };
    const made = await build(["-f", "build/Dockerfile", "-"], { stdin: await tarOf(files) });
    expect([...made.keys()].sort()).toEqual(["a", "build/", "build/Dockerfile"]);
  });

  test("is only a Dockerfile on stdin", async () => {
    const stdin = "FROM scratch\nCOPY <<EOF /made\nhere\nEOF\n";
    expect(await build(["-"], { stdin })).toEqual(new Map([["made", "here\n"]]));
  });

  test("is a directory, the Dockerfile comes from stdin", async () => {
    const made = await build(["-f", "-", "context"], { stdin: "FROM scratch\nCOPY hello.txt /greeting\n" });
    expect(made).toEqual(new Map([["greeting", "hello"]]));
  });

  test("is a directory, -f names a Dockerfile elsewhere", async () => {
    expect(await build(["-f", "context/other/Containerfile", "context"])).toEqual(new Map([["hello.txt", "hello"]]));
  });

  test("and the Dockerfile cannot both come from stdin; nothing at all is an error", async () => {
    const both = await runCli(["-f", "-", "-"], { root: at("store"), stdin: dockerfile });
    expect(both.code).toBe(2);
    const nothing = await runCli(["-"], { root: at("store"), stdin: "" });
    expect(nothing.code).toBe(1);
    expect(nothing.stderr).toContain("nothing was sent");
  });

  test("can be several directories", async () => {
    writeContext(at("assets"), { "logo.svg": "<svg/>" });
    writeContext(at("two"), { Dockerfile: "FROM scratch\nCOPY --from=assets logo.svg /\n" });
    expect(await build(["--build-context", "assets=assets", "two"])).toEqual(new Map([["logo.svg", "<svg/>"]]));
  });
});

describe("values from the command line", () => {
  const context = (lines: readonly string[]): string => writeContext(at("values"), { Dockerfile: lines.join("\n") });

  test("--build-arg takes what is given, or the environment's value", async () => {
    const path = context([
      "FROM scratch",
      "ARG A=default",
      "ARG B=default",
      "ARG C=default",
      "COPY <<EOF /args",
      "$A $B $C",
      "EOF",
    ]);
    const flags = ["--build-arg", "A=given", "--build-arg", "B", "--build-arg", "C"];
    const environment = { B: "from the environment" };
    expect((await build([...flags, path], { environment })).get("args")).toBe("given from the environment default\n");
  });

  test("--target builds that stage and none it does not need", async () => {
    const path = context([
      "FROM scratch AS one",
      "COPY <<EOF /one",
      "1",
      "EOF",
      "FROM no.such.registry.invalid/image AS two",
      "RUN false",
    ]);
    expect(await build(["--target", "ONE", path])).toEqual(new Map([["one", "1\n"]]));
  });
});

describe.skipIf(needsRoot !== null)(`secrets${needsRoot === null ? "" : ` (skipped: ${needsRoot})`}`, () => {
  test("reach the step that asks for them, and nothing that is kept", async () => {
    writeContext(at("secret"), {
      Dockerfile: [
        "FROM base",
        "RUN --mount=type=secret,id=file,target=/key --mount=type=secret,id=variable,env=TOKEN \\",
        '    echo "$(cat /key) $TOKEN" | tr a-z b-za >/seen',
      ].join("\n"),
      key: "open-sesame-1",
      ".dockerignore": "key",
    });
    const flags = ["--secret", `id=file,src=${at("secret/key")}`, "--secret", "id=variable,env=SECRET_TOKEN"];
    const environment = { SECRET_TOKEN: "open-sesame-2" };
    const made = await build([...flags, at("secret")], { environment });
    expect(made.get("seen")).toBe("pqfo-tftbnf-1 pqfo-tftbnf-2\n");
    expect(made.has("key")).toBe(false);
    expect(filesHolding("open-sesame-", at("store"))).toEqual([]);
  });
});

/** Paths of the files below `directory` with `text` in them. */
function filesHolding(text: string, directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}
