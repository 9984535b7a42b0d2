import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { baseFlags, type CliOptions, type CliResult, runCli, runCliWell } from "../support/cli.ts";
import { readOciArchive, readTarMembers } from "../support/oci-archive.ts";
import { pax, rawTar } from "../support/raw-tar.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { writeContext } from "../support/write-context.ts";

const shared = useSharedDirectory();
const hello = fileURLToPath(new URL("../../fixtures/hello", import.meta.url));
const inStore = (name: string, args: readonly string[], options: Partial<CliOptions> = {}): Promise<CliResult> =>
  runCliWell(args, { root: join(shared.path, name), ...options });
const tsbuild = (...args: string[]): Promise<CliResult> => inStore("store", args);
const inspect = async (store: string, image: string): Promise<Record<string, unknown>> =>
  JSON.parse((await inStore(store, ["inspect", image])).stdout.toString())[0];

describe.skipIf(needsRoot !== null)(`images as archives${needsRoot === null ? "" : ` (skipped: ${needsRoot})`}`, () => {
  beforeAll(async () => {
    await tsbuild("-q", "-t", "demo/hello", "-t", "demo/hello:v1", ...baseFlags, hello);
  });

  test("save and load keep image ID and layers", async () => {
    const archive = join(shared.path, "hello.tar");
    const saved = await tsbuild("save", "demo/hello", "demo/hello:v1", "-o", archive);
    expect(saved.stderr).toMatch(/^wrote .*hello\.tar \([\d.]+ MB\)$/m);
    const loaded = await inStore("other", ["load", "-i", archive]);
    expect(loaded.stdout.toString()).toBe("Loaded image: demo/hello:latest\nLoaded image: demo/hello:v1\n");
    const [before, after] = [await inspect("store", "demo/hello"), await inspect("other", "demo/hello:v1")];
    expect(after).toMatchObject({ Id: before.Id, RootFS: before.RootFS, Config: before.Config });
  });

  test("the archive has what docker load reads, each image once", async () => {
    const { stdout } = await tsbuild("save", "demo/hello", "demo/hello:v1");
    const members = await readTarMembers(stdout);
    const { Id } = await inspect("store", "demo/hello");
    const manifest = JSON.parse(String(members.find(({ header }) => header.name === "manifest.json")?.content));
    expect(manifest).toMatchObject([
      { Config: `blobs/sha256/${String(Id).slice(7)}`, RepoTags: ["demo/hello:latest", "demo/hello:v1"] },
    ]);
    expect((await tsbuild("save", "demo/hello", "demo/hello:v1")).stdout.equals(stdout)).toBe(true);
  });

  test("load takes a compressed archive from stdin, and a name for what has none", async () => {
    const { Id } = await inspect("store", "demo/hello");
    const { stdout } = await tsbuild("save", "--format", "oci", String(Id).slice(7, 19));
    const stdin = gzipSync(stdout);
    const nameless = await inStore("third", ["load"], { stdin });
    expect(nameless.stdout.toString()).toBe(`Loaded image ID: ${Id}\n`);
    expect(nameless.stderr).toContain("--tag");
    await inStore("third", ["load", "--tag", "demo/named"], { stdin });
    expect((await inspect("third", "demo/named")).Id).toBe(Id);
  });

  test("what was loaded leaves as it came", async () => {
    const [first, second] = [join(shared.path, "a.tar"), join(shared.path, "b.tar")];
    await tsbuild("save", "--format", "oci", "-o", first, "demo/hello");
    await inStore("fourth", ["load", "-i", first]);
    await inStore("fourth", ["save", "--format", "oci", "-o", second, "demo/hello"]);
    expect(await readOciArchive(second)).toHaveLength(1);
    expect(readFileSync(second).equals(readFileSync(first))).toBe(true);
  });

  test("a failed save leaves the file as it was, a failed load no image", async () => {
    const archive = join(shared.path, "none.tar");
    const saved = await runCli(["save", "demo/none", "-o", archive], { root: join(shared.path, "store") });
    expect(saved).toMatchObject({ code: 1, stderr: expect.stringMatching(/^ERROR: .*demo\/none/) });
    const cut = (await tsbuild("save", "demo/hello")).stdout.subarray(0, 300_000);
    const loaded = await runCli(["load"], { root: join(shared.path, "fifth"), stdin: cut });
    expect(loaded).toMatchObject({ code: 1, stderr: expect.stringMatching(/^ERROR: .*cut off/) });
    expect((await inStore("fifth", ["images", "-q"])).stdout.toString()).toBe("");
  });

  test("export and import keep every file as it is", async () => {
    const files = {
      Dockerfile: [
        "FROM base",
        "RUN mkdir -p /d/e && echo one >/d/file && ln /d/file /d/e/link && ln -s ../file /d/e/sym && chown 7:8 /d/file \\",
        " && chmod 4751 /d/file && mkfifo /d/fifo && touch -d @1000000000 /d/file && echo x >/d/gone",
        "RUN rm /d/gone && echo two >/d/ünïcode",
      ].join("\n"),
    };
    await tsbuild("-q", "-t", "demo/a", ...baseFlags, writeContext(join(shared.path, "context"), files));
    const exported = await tsbuild("export", "demo/a");
    const imported = await inStore("store", ["import", "-", "demo/b:new", "-m", "flat"], { stdin: exported.stdout });
    expect(imported.stdout.toString()).toBe(`${(await inspect("store", "demo/b:new")).Id}\n`);
    expect((await tsbuild("export", "demo/b:new")).stdout.equals(exported.stdout)).toBe(true);
    expect((await tsbuild("history", "demo/b:new")).stdout.toString()).toMatch(/flat$/m);
    const headers = new Map((await readTarMembers(exported.stdout)).map(({ header }) => [header.name, header]));
    expect(headers.get("d/gone")).toBeUndefined();
    expect(headers.get("d/file")).toMatchObject({ type: "link", linkname: "d/e/link" });
    expect(headers.get("d/e/link")).toMatchObject({ type: "file", uid: 7, gid: 8, mode: 0o4751 });
    expect(headers.get("d/e/link")?.mtime?.getTime()).toBe(1_000_000_000_000);
  });

  test("a layer that was imported is the tar itself, extended attributes and all", async () => {
    const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
    const tar = rawTar(pax({ "SCHILY.xattr.security.capability": capability, mtime: "1600000000.25" }), {
      name: "ping",
      content: "binary",
      mode: 0o755,
      uid: 3,
    });
    const stdin = gzipSync(tar);
    await inStore("store", ["import", "-", "demo/caps"], { stdin });
    const { RootFS } = await inspect("store", "demo/caps");
    expect(RootFS).toEqual({ Type: "layers", Layers: [`sha256:${createHash("sha256").update(tar).digest("hex")}`] });
    const [member] = await readTarMembers((await tsbuild("export", "demo/caps")).stdout);
    expect(member?.header).toMatchObject({ name: "ping", mode: 0o755, uid: 3 });
    expect(Object.keys(member?.pax ?? {})).toContain("SCHILY.xattr.security.capability");
  });

  test("--change writes the config, --platform says for what", async () => {
    const changes = [
      "ENV A=1",
      "ENV B=$A-2",
      "CMD sleep 1",
      'ENTRYPOINT ["/e"]',
      "USER 5:6",
      "WORKDIR /w",
      "EXPOSE 80",
      "VOLUME /v",
      "LABEL a=b",
      "ONBUILD RUN x",
      "STOPSIGNAL TERM",
      "HEALTHCHECK CMD y",
    ];
    const flags = changes.flatMap((change) => ["--change", change]);
    const stdin = rawTar({ name: "f", content: "" });
    await inStore("store", ["import", "--platform", "linux/arm64", ...flags, "-", "demo/changed"], { stdin });
    expect(await inspect("store", "demo/changed")).toMatchObject({
      Architecture: "arm64",
      Config: {
        Env: [expect.stringMatching(/^PATH=/), "A=1", "B=1-2"],
        Cmd: ["/bin/sh", "-c", "sleep 1"],
        Entrypoint: ["/e"],
        User: "5:6",
        WorkingDir: "/w",
        ExposedPorts: { "80/tcp": {} },
        Volumes: { "/v": {} },
        Labels: { a: "b" },
        OnBuild: ["RUN x"],
        StopSignal: "TERM",
        Healthcheck: { Test: ["CMD-SHELL", "y"] },
      },
    });
  });

  test.each([
    ["RUN x", "RUN does not change the config"],
    ["FROM x", "FROM does not change the config"],
    ["ENV A=1\nUSER x", "want one instruction"],
    ["", "want one instruction"],
    ["CDM x", "CDM"],
    ["STOPSIGNAL none", "none"],
  ])("--change %j is refused before anything is stored", async (change, problem) => {
    const result = await runCli(["import", "-", "demo/none", "--change", change], {
      root: join(shared.path, "store"),
      stdin: rawTar({ name: "f" }),
    });
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(problem) });
    expect((await tsbuild("images", "-q", "demo/none")).stdout.toString()).toBe("");
  });

  test.each<[string, Buffer]>([
    ["no tar", Buffer.from("hello")],
    ["nothing", Buffer.alloc(0)],
  ])("import refuses %s", async (_, stdin) => {
    const result = await runCli(["import", "-", "demo/none"], { root: join(shared.path, "store"), stdin });
    expect(result.stderr).toMatch(/^ERROR: /);
    expect([1, 5]).toContain(result.code);
  });

  test("what an imported tar calls ../../etc/passwd lies below the image's root", async () => {
    await inStore("store", ["import", "-", "demo/out"], { stdin: rawTar({ name: "../../etc/passwd", content: "x" }) });
    const members = await readTarMembers((await tsbuild("export", "demo/out")).stdout);
    expect(members.map(({ header }) => header.name)).toEqual(["etc/", "etc/passwd"]);
  });
});
