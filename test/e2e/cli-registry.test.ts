import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import { baseFlags, type CliResult, runCli, runCliWell } from "../support/cli.ts";
import { faults, TestRegistry } from "../support/registry.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { writeContext } from "../support/write-context.ts";

interface Manifest {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly layers: readonly { readonly digest: string; readonly mediaType: string }[];
  readonly manifests: readonly { readonly digest: string; readonly platform: { readonly architecture: string } }[];
}

const shared = useSharedDirectory();
const store = (name = "store"): string => join(shared.path, name);
const tsbuild = (...args: string[]): Promise<CliResult> => runCliWell(args, { root: store() });
let registry: TestRegistry;
beforeAll(async () => {
  registry = await TestRegistry.start();
});
afterAll(() => registry.close());

const manifest = (name: string): Manifest => JSON.parse(String(registry.manifest(name)));
const digestUnder = (tag: string): string => digestOf(registry.manifest(tag) ?? Buffer.alloc(0));
const uploads = (): number => registry.log.filter((line) => /^PUT .*\/blobs\/uploads\//.test(line)).length;
/** A context without RUN, so that it is built by anybody. */
function context(): string {
  const directory = join(shared.path, `context-${randomBytes(4).toString("hex")}`);
  writeContext(directory, { Dockerfile: "FROM base\nCOPY f /f\n", f: randomBytes(100).toString("hex") });
  return directory;
}

/** The tests of this file are one story: each begins with what the one before it left. */
describe("images and registries", () => {
  test("build --push sends several names, each blob once, and says the digest", async () => {
    const metadata = join(shared.path, "metadata");
    const names = ["app:v1", "app:v2", "other:v1"].flatMap((name) => ["-t", `${registry.host}/ns/${name}`]);
    const { stderr } = await tsbuild(...names, "--push", "--metadata-file", metadata, ...baseFlags, context());
    const digest = digestUnder("v1");
    expect(digestUnder("v2")).toBe(digest);
    expect(stderr).toContain(`pushed ${registry.host}/ns/app:v1 ${digest}`);
    expect(JSON.parse(readFileSync(metadata, "utf8"))).toMatchObject({ "containerimage.digest": digest });
    expect(uploads()).toBe(manifest("v1").layers.length + 1);
  });

  test("push sends nothing again, and prints what to pull", async () => {
    const before = uploads();
    const { stdout } = await tsbuild("push", "--progress", "quiet", `${registry.host}/ns/app:v1`);
    expect(stdout.toString()).toBe(`${registry.host}/ns/app:v1@${digestUnder("v1")}\n`);
    expect(uploads()).toBe(before);
  });

  test("pull brings the image into another store, from where it can be built upon and pushed as it was", async () => {
    const other = (...args: string[]): Promise<CliResult> => runCliWell(args, { root: store("other") });
    const digest = digestUnder("v1");
    const pulled = await other("pull", `${registry.host}/ns/app:v1`);
    expect(pulled.stdout.toString()).toBe(`${registry.host}/ns/app:v1@${digest}\n`);
    await other("tag", `${registry.host}/ns/app:v1`, `${registry.host}/copy/app:v3`);
    await other("push", `${registry.host}/copy/app:v3`);
    expect(digestUnder("v3")).toBe(digest);
    const list = await other("images", "--digests");
    expect(list.stdout.toString()).toContain(digest);
  });

  test("pull refuses a layer that is not what the config says", async () => {
    const layer = Buffer.from("not a tar");
    registry.addImage("bad", { layers: [layer], config: { rootfs: { type: "layers", diff_ids: [digestOf("x")] } } });
    const result = await runCli(["pull", `${registry.host}/ns/bad:bad`], { root: store("bad") });
    expect(result.stderr).toContain("cut off");
    expect(result.code).toBe(5);
    expect((await runCliWell(["images", "-q"], { root: store("bad") })).stdout.toString()).toBe("");
  });

  test("type=registry takes annotations and compression, and need not keep the image", async () => {
    const output = "type=registry,store=false,compression=uncompressed,force-compression=true,annotation.k=v";
    const name = `${registry.host}/ns/plain:p`;
    await tsbuild("-t", name, "-o", output, ...baseFlags, context());
    expect(manifest("p").annotations).toEqual({ k: "v" });
    expect(manifest("p").layers.map(({ mediaType }) => mediaType)).toEqual(
      manifest("p").layers.map(() => "application/vnd.oci.image.layer.v1.tar"),
    );
    expect((await runCli(["push", name], { root: store() })).stderr).toContain("not in the store");
  });

  test("several platforms make an index; push --platform sends one of them", async () => {
    const directory = context();
    writeFileSync(join(directory, "Dockerfile"), "FROM scratch\nCOPY f /f\n");
    const name = `${registry.host}/ns/multi:m`;
    await tsbuild("-t", name, "--platform", "linux/amd64,linux/arm64", "--push", directory);
    const index = manifest("m").manifests;
    expect(index.map(({ platform }) => platform.architecture)).toEqual(["amd64", "arm64"]);
    for (const { digest } of index) expect(registry.manifest(digest)).not.toBeNull();
    await tsbuild("push", "--platform", "linux/arm64", name);
    expect(digestUnder("m")).toBe(index[1]?.digest);
  });

  test("a push that a registry does not keep fails, whatever it answered", async () => {
    registry.fail(/^HEAD .*\/ns\/lost\/manifests/, faults.status(404));
    const name = `${registry.host}/ns/lost:1`;
    const result = await runCli(["-t", name, "--push", ...baseFlags, context()], { root: store() });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain("now has nothing");
    expect(result.stderr).not.toContain("pushed");
  });

  test("a push without a name fails before anything is built", async () => {
    const result = await runCli(["--push", ...baseFlags, context()], { root: store() });
    expect(result.code).toBe(2);
    expect(result.stderr).toBe(
      "ERROR: push: the image has no name\nhint: say where to with -t REGISTRY/NAME:TAG, or name= of the output\n",
    );
  });
});

describe("a registry that wants a login", () => {
  test("is pushed to after login, and not before or after logout", async () => {
    const closed = await TestRegistry.start({ kind: "basic", username: "me", password: "s3cret" });
    closed.fail(/^GET \/v2\/$/, (request, response, answer) => {
      if (request.headers.authorization !== `Basic ${Buffer.from("me:s3cret").toString("base64")}`) answer();
      else response.writeHead(200).end("{}");
    });
    const push = (): Promise<CliResult> =>
      runCli(["-t", `${closed.host}/ns/app`, "--push", ...baseFlags, context()], { root: store() });
    const login = (password: string): Promise<CliResult> =>
      runCli(["login", "-u", "me", "--password-stdin", closed.host], { root: store(), stdin: `${password}\n` });
    const denied = await push();
    expect(denied.code).toBe(1);
    expect(denied.stderr).toContain(`tsbuild login ${closed.host}`);
    expect((await login("wrong")).code).toBe(1);
    expect((await push()).code).toBe(1);
    expect((await login("s3cret")).stdout.toString()).toContain(`logged in to ${closed.host}`);
    expect((await push()).code).toBe(0);
    expect(closed.manifest("latest")).not.toBeNull();
    await runCliWell(["logout", closed.host], { root: store() });
    expect((await push()).code).toBe(1);
    await closed.close();
  });
});
