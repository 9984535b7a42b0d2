import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { baseFlags, type CliOptions, type CliResult, runCli, runCliWell } from "../support/cli.ts";
import { readOciArchive, readTarMembers } from "../support/oci-archive.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { needsRoot } from "../support/skip-reason.ts";

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
});
