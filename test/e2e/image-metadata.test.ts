import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readOciArchive } from "../support/oci-archive.ts";
import { useEngine } from "../support/use-engine.ts";

const under = useEngine();
const bothPlatforms = "--platform=linux/amd64,linux/arm64";

interface Described {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Reads JSON documents of an archive. */
function readerOf(archive: string) {
  const read = (path: string) => JSON.parse(execFileSync("tar", ["-xOf", archive, path], { encoding: "utf8" }));
  return { read, blob: ({ digest }: Described) => read(`blobs/${digest.replace(":", "/")}`) };
}

/** Annotations that are not made by the builder itself. */
const given = (annotations: Readonly<Record<string, string>> = {}): object =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => key.startsWith("x.")));

describe("--annotation", () => {
  test("goes to manifests, index and their descriptors, for the platforms it names", async () => {
    const context = under.directory({ Dockerfile: "FROM scratch\nCOPY Dockerfile /\n" });
    const archive = join(under.path, "image.tar");
    const annotations = [
      "x.plain=1",
      "manifest[linux/arm64]:x.arm=2",
      "manifest-descriptor[linux/*]:x.descriptor=3",
      "index:x.index=4",
      "index-descriptor:x.top=5",
      "index,manifest:x.both=6",
    ];
    const flags = annotations.flatMap((annotation) => ["--annotation", annotation]);
    await under.build(bothPlatforms, ...flags, "-o", `type=oci,dest=${archive},annotation-index.x.output=7`, context);

    const { read, blob } = readerOf(archive);
    const [top] = read("index.json").manifests as readonly [Described];
    expect(given(top.annotations)).toEqual({ "x.top": "5" });
    const index = blob(top);
    expect(index.annotations).toEqual({ "x.index": "4", "x.both": "6", "x.output": "7" });
    const [amd64, arm64] = index.manifests as readonly [Described, Described];
    expect([amd64, arm64].map((descriptor) => given(descriptor.annotations))).toEqual([
      { "x.descriptor": "3" },
      { "x.descriptor": "3" },
    ]);
    expect(blob(amd64).annotations).toEqual({ "x.plain": "1", "x.both": "6" });
    expect(blob(arm64).annotations).toEqual({ "x.plain": "1", "x.arm": "2", "x.both": "6" });
  });

  test.each([
    ["--annotation=index:a=b", "type=oci,dest=-"],
    ["--annotation=index-descriptor:a=b", "type=oci,dest=-"],
    ["--annotation=a=b", "type=oci,dest=-,annotation-index.a=b"],
  ])("of an index needs several platforms: %s -o %s", async (flag, output) => {
    const context = under.directory({ Dockerfile: "FROM scratch\nCOPY Dockerfile /\n" });
    await expect(under.build(flag, "-o", output, context)).rejects.toMatchObject({ code: "EXPORT_UNSUPPORTED" });
  });
});

test("--label overrides the labels of the Dockerfile and makes no history", async () => {
  const context = under.directory({ Dockerfile: "FROM scratch\nLABEL a=1 b=1\n" });
  const archive = join(under.path, "image.tar");
  await under.build("--label", "b=2", "--label", "c=3", "--label", "d", "-o", `type=oci,dest=${archive}`, context);
  const [image] = await readOciArchive(archive);
  expect(image?.config.config?.Labels).toEqual({ a: "1", b: "2", c: "3", d: "" });
  expect(image?.config.history).toHaveLength(1);
});

test("--no-cache-filter makes the steps of the named stages again, and what stands on them by their content only", async () => {
  const context = under.directory({
    Dockerfile:
      "FROM scratch AS one\nCOPY a /\nFROM scratch AS two\nCOPY b /\nFROM scratch\nCOPY --from=one a /x\nCOPY --from=two b /y\n",
    a: "1",
    b: "2",
  });
  const build = async (...args: readonly string[]): Promise<readonly string[]> =>
    (await under.build(...args, "-o", "type=cacheonly", context)).ran;
  expect(await build()).toHaveLength(4);
  expect(await build()).toEqual([]);
  expect(await build("--no-cache-filter=One")).toEqual(["[one 1/1] COPY a /"]);
  expect(await build("--no-cache-filter", "one,two")).toHaveLength(2);
});
