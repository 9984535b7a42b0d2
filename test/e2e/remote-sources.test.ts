import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { useFileServer } from "../support/file-server.ts";
import { type GitServer, gitIn, makeRepository, serveGit } from "../support/git-server.ts";
import { listTar } from "../support/list-tar.ts";
import { useEngine } from "../support/use-engine.ts";

const under = useEngine();
const web = useFileServer();
const modified = "Sat, 01 Jan 2022 00:00:00 GMT";
const modifiedSeconds = Date.parse(modified) / 1000;

/** Builds with these arguments; the files of the image as `name = content`, and the steps that ran. */
async function build(...args: readonly string[]) {
  const tar = join(under.path, "out.tar");
  const { ran } = await under.build("-o", `type=tar,dest=${tar}`, ...args);
  const members = listTar(readFileSync(tar));
  return { ran, members, files: filesOf(members) };
}

const filesOf = (members: ReturnType<typeof listTar>): readonly string[] =>
  members.filter(({ type }) => type === "0").map(({ name, content }) => `${name} = ${content}`);

/** A tar of files, compressed as its name says, every member with the time of `modified` minus a day. */
function archiveOf(files: Readonly<Record<string, string>>, name = "x.tar.gz"): Buffer {
  const directory = under.directory(files);
  const archive = join(under.path, name);
  const time = `--mtime=@${modifiedSeconds - 86_400}`;
  execFileSync("tar", ["--auto-compress", time, "-cf", archive, "-C", directory, ...Object.keys(files)]);
  return readFileSync(archive);
}

const sha256 = (bytes: string | Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

describe("a git repository", () => {
  let server: GitServer;
  let repositories: string;
  beforeEach(async () => {
    repositories = under.directory({});
    server = await serveGit(repositories);
  });
  afterEach(() => server.close());

  const urlOf = (name: string): string => `${server.url}/${name}`;
  const commit = (name: string, path: string, content: string): void => {
    const worktree = join(repositories, `${name}.worktree`);
    writeFileSync(join(worktree, path), content);
    gitIn(worktree, "commit", "--quiet", "--all", "--message", "more");
    gitIn(worktree, "push", "--quiet", join(repositories, name), "main");
  };

  test("is the main context, at a ref, in a folder, with a Dockerfile that -f names", async () => {
    makeRepository(repositories, "app.git", {
      "sub/Dockerfile": "FROM scratch\nCOPY . /\n",
      "sub/other": "FROM scratch\nCOPY file /other\n",
      "sub/file": "1",
      outside: "",
    });
    const context = `${urlOf("app.git")}#main:sub`;
    expect((await build(context)).files).toEqual([
      "Dockerfile = FROM scratch\nCOPY . /\n",
      "file = 1",
      "other = FROM scratch\nCOPY file /other\n",
    ]);
    expect((await build("-f", "other", context)).files).toEqual(["other = 1"]);
    await expect(build("-f", "../outside", context)).rejects.toMatchObject({
      code: expect.stringMatching(/DOCKERFILE/),
    });
    await expect(build(`${urlOf("app.git")}#nothing`)).rejects.toMatchObject({ code: "SOURCE_NOT_FOUND" });
  });

  test("as main context keeps the cache of what did not change", async () => {
    makeRepository(repositories, "app.git", { Dockerfile: "FROM scratch\nCOPY a /\nCOPY b /\n", a: "1", b: "1" });
    expect((await build(urlOf("app.git"))).ran).toHaveLength(2);
    expect((await build(urlOf("app.git"))).ran).toEqual([]);
    commit("app.git", "b", "2");
    expect((await build(urlOf("app.git"))).ran).toEqual(["[2/2] COPY b /"]);
  });

  test("is added: with and without .git, a folder of it, with submodules or not", async () => {
    makeRepository(repositories, "part.git", { "of-part": "p" });
    makeRepository(repositories, "lib.git", { "sub/file": "1", top: "t" }, (worktree) => {
      // The server lives in this process, which waits for git: the submodule is taken from the disk.
      gitIn(worktree, "submodule", "--quiet", "add", join(repositories, "part.git"), "module");
      gitIn(worktree, "config", "--file", ".gitmodules", "submodule.module.url", urlOf("part.git"));
    });
    const addFrom = async (flags: string, url: string): Promise<readonly string[]> => {
      const context = under.directory({ Dockerfile: `FROM scratch\nADD ${flags} ${url} /\n` });
      return (await build(context)).members.filter(({ type }) => type === "0").map(({ name }) => name);
    };
    const url = urlOf("lib.git");
    expect(await addFrom("", `${url}#main`)).toEqual([".gitmodules", "module/of-part", "sub/file", "top"]);
    expect(await addFrom("", `${url}?submodules=false#main`)).toEqual([".gitmodules", "sub/file", "top"]);
    expect(await addFrom("", `${url}#main:sub`)).toEqual(["file"]);
    const kept = await addFrom("--keep-git-dir=true", `${url}#main`);
    expect(kept).toContain(".git/HEAD");
    expect(kept).toContain("module/of-part");
  });

  test("that is added is made anew when the ref moved, and only then", async () => {
    makeRepository(repositories, "lib.git", { file: "1" });
    const context = under.directory({
      Dockerfile: `FROM scratch\nADD ${urlOf("lib.git")}#main /lib/\nCOPY d /\n`,
      d: "",
    });
    expect((await build(context)).ran).toHaveLength(3);
    expect((await build(context)).ran).toEqual([]);
    commit("lib.git", "file", "2");
    expect((await build(context)).files).toContain("lib/file = 2");
  });

  test("is a named context, to copy from and to start from", async () => {
    makeRepository(repositories, "lib.git", { "sub/file": "1", top: "t" });
    const copying = under.directory({ Dockerfile: "FROM scratch\nCOPY --from=lib file /copied\n" });
    expect((await build("--build-context", `lib=${urlOf("lib.git")}#main:sub`, copying)).files).toEqual(["copied = 1"]);
    const starting = under.directory({ Dockerfile: "FROM lib\nCOPY Dockerfile /\n" });
    expect((await build("--build-context", `lib=${urlOf("lib.git")}`, starting)).files).toHaveLength(3);
  });

  test("gives SOURCE_DATE_EPOCH the time of its commit", async () => {
    makeRepository(repositories, "app.git", {
      Dockerfile: `FROM scratch AS stamp\nADD http://127.0.0.1:1/app.git /\nFROM scratch\nCOPY file /\n`,
      file: "1",
    });
    const committedAt = Date.parse("2001-02-03T04:05:06Z") / 1000;
    const times = async (...args: readonly string[]): Promise<ReadonlySet<number>> =>
      new Set((await build(...args)).members.map(({ mtime }) => mtime));
    expect(await times("--build-arg=SOURCE_DATE_EPOCH=context", urlOf("app.git"))).toEqual(new Set([committedAt]));
    const named = ["--build-context", `lib=${urlOf("app.git")}#main`, "--build-arg=SOURCE_DATE_EPOCH=lib"];
    const context = under.directory({ Dockerfile: "FROM scratch\nCOPY Dockerfile /\n" });
    expect(await times(...named, context)).toEqual(new Set([committedAt]));
    const stage = under.directory({
      Dockerfile: `FROM scratch AS stamp\nADD ${urlOf("app.git")} /\nFROM scratch\nCOPY Dockerfile /\n`,
    });
    expect(await times("--build-arg=SOURCE_DATE_EPOCH=stamp", stage)).toEqual(new Set([committedAt]));
  });
});

describe("a URL", () => {
  test.each(["x.tar", "x.tar.gz", "x.tar.bz2", "x.tar.xz"])("of an archive (%s) is the main context", async (name) => {
    const files = { Dockerfile: "FROM scratch\nCOPY a /\n", "sub/other": "FROM scratch\nCOPY a /b\n", a: "1" };
    web.files.set("/context", { content: archiveOf(files, name) });
    expect((await build(`${web.url}/context`)).files).toEqual(["a = 1"]);
    expect((await build("-f", "sub/other", `${web.url}/context`)).files).toEqual(["b = 1"]);
    expect((await build(`${web.url}/context`)).ran).toEqual([]);
  });

  test("of a Dockerfile is built without a context", async () => {
    web.files.set("/Dockerfile", { content: "FROM scratch\nCOPY <<EOF /a\n1\nEOF\n" });
    expect((await build(`${web.url}/Dockerfile`)).files).toEqual(["a = 1\n"]);
  });

  test("is added with mode 0600 and the time of Last-Modified", async () => {
    web.files.set("/dir/file", { content: "1", lastModified: modified });
    const { members } = await build(under.directory({ Dockerfile: `FROM scratch\nADD ${web.url}/dir/file /to/\n` }));
    expect(members.map(({ name, mode, mtime }) => [name, mode, mtime])[1]).toEqual(["to/file", 0o600, modifiedSeconds]);
  });

  test("that is added must have the checksum it is said to have", async () => {
    web.files.set("/file", { content: "1" });
    const adding = (checksum: string) =>
      build(under.directory({ Dockerfile: `FROM scratch\nADD --checksum=${checksum} ${web.url}/file /\n` }));
    expect((await adding(sha256("1"))).files).toEqual(["file = 1"]);
    await expect(adding(sha256("2"))).rejects.toMatchObject({
      code: "ADD_CHECKSUM_MISMATCH",
      location: { startLine: 2 },
    });
  });

  test("of an archive is added as it is, or unpacked when that is asked for", async () => {
    web.files.set("/x.tar.gz", { content: archiveOf({ "in/archive": "1" }) });
    const adding = async (flags: string) =>
      (await build(under.directory({ Dockerfile: `FROM scratch\nADD ${flags} ${web.url}/x.tar.gz /\n` }))).members;
    expect((await adding("")).map(({ name }) => name)).toEqual(["x.tar.gz"]);
    expect(filesOf(await adding("--unpack=true"))).toEqual(["in/archive = 1"]);
  });

  test("that is added is not sent again while the server says it is the same", async () => {
    web.files.set("/file", { content: "1", etag: true, lastModified: modified });
    const context = under.directory({ Dockerfile: `FROM scratch\nADD ${web.url}/file /\n` });
    expect((await build(context)).ran).toHaveLength(2);
    expect((await build(context)).ran).toEqual([]);
    expect(web.requests).toEqual(["GET /file 200", "GET /file 304"]);
  });

  test("whose content is the same under another time leaves the layer in the cache", async () => {
    web.files.set("/file", { content: "1", lastModified: modified });
    const context = under.directory({ Dockerfile: `FROM scratch\nADD ${web.url}/file /\n` });
    await build(context);
    web.files.set("/file", { content: "1", lastModified: "Sun, 02 Jan 2022 00:00:00 GMT" });
    const { ran, members } = await build(context);
    // The download, which has the name of its ADD.
    expect(ran).toHaveLength(1);
    expect(members[0]?.mtime).toBe(modifiedSeconds);
    web.files.set("/file", { content: "2", lastModified: modified });
    expect((await build(context)).files).toEqual(["file = 2"]);
  });

  test("is a named context: the files of an archive, or one file", async () => {
    web.files.set("/x.tar.gz", { content: archiveOf({ "in/archive": "1" }) });
    web.files.set("/plain", { content: "2" });
    const context = under.directory({ Dockerfile: "FROM scratch\nCOPY --from=named . /\n" });
    expect((await build("--build-context", `named=${web.url}/x.tar.gz`, context)).files).toEqual(["in/archive = 1"]);
    expect((await build("--build-context", `named=${web.url}/plain`, context)).files).toEqual(["context = 2"]);
    await expect(build("--build-context", `named=${web.url}/none`, context)).rejects.toMatchObject({
      code: "SOURCE_NOT_FOUND",
    });
  });

  test("gives SOURCE_DATE_EPOCH its Last-Modified, or the time of the newest file of the archive", async () => {
    const content = archiveOf({ Dockerfile: "FROM scratch\nCOPY Dockerfile /\n" });
    web.files.set("/told", { content, lastModified: modified });
    web.files.set("/untold", { content });
    web.files.set("/plain", { content: "1" });
    const created = async (...args: readonly string[]): Promise<number | undefined> =>
      (await build(...args)).members[0]?.mtime;
    expect(await created("--build-arg=SOURCE_DATE_EPOCH=context", `${web.url}/told`)).toBe(modifiedSeconds);
    expect(await created("--build-arg=SOURCE_DATE_EPOCH=context", `${web.url}/untold`)).toBe(modifiedSeconds - 86_400);
    const stage = (path: string): string =>
      under.directory({
        Dockerfile: `ARG SOURCE_DATE_EPOCH=stamp\nFROM scratch AS stamp\nADD ${web.url}/${path} /\nFROM scratch\nCOPY Dockerfile /\n`,
      });
    expect(await created(stage("told"))).toBe(modifiedSeconds);
    expect(await created(stage("untold"))).toBe(modifiedSeconds - 86_400);
    expect(await created(stage("plain"))).toBeGreaterThan(modifiedSeconds + 86_400);
    const context = under.directory({ Dockerfile: "# of this machine\nFROM scratch\nCOPY Dockerfile /\n" });
    const named = ["--build-context", `named=${web.url}/told`, "--build-arg=SOURCE_DATE_EPOCH=named"];
    expect(await created(...named, context)).toBe(modifiedSeconds);
    expect(await created("--build-arg=SOURCE_DATE_EPOCH=context", context)).toBeGreaterThan(modifiedSeconds + 86_400);
  });
});

describe("standard input", () => {
  const buildFrom = async (stdin: Buffer | string, ...args: readonly string[]) => {
    const tar = join(under.path, "out.tar");
    await under.buildFromStdin(Readable.from([stdin]), "-o", `type=tar,dest=${tar}`, ...args, "-");
    return filesOf(listTar(readFileSync(tar)));
  };

  test("is an archive with a Dockerfile, which -f may name", async () => {
    const files = { Dockerfile: "FROM scratch\nCOPY a /\n", other: "FROM scratch\nCOPY a /b\n", a: "1" };
    expect(await buildFrom(archiveOf(files))).toEqual(["a = 1"]);
    expect(await buildFrom(archiveOf(files), "-f", "other")).toEqual(["b = 1"]);
  });

  test("is a Dockerfile", async () => {
    expect(await buildFrom("FROM scratch\nCOPY <<EOF /a\n1\nEOF\n")).toEqual(["a = 1\n"]);
    await expect(buildFrom("FROM scratch\nCOPY a /\n")).rejects.toMatchObject({ code: "CONTEXT_PATH_NOT_FOUND" });
    await expect(buildFrom("")).rejects.toMatchObject({ code: "CONTEXT_INVALID" });
  });
});
