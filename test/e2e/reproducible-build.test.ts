import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { listTar } from "../support/list-tar.ts";
import { readOciArchive } from "../support/oci-archive.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { type EngineUnderTest, useEngine } from "../support/use-engine.ts";

const epoch = 1_700_000_000;
const withEpoch = `--build-arg=SOURCE_DATE_EPOCH=${epoch}`;
const sha256Of = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

describe("SOURCE_DATE_EPOCH", () => {
  const under = useEngine();
  const runs = needsRoot === null ? "RUN echo made > /made && mkdir -p /tree/dir && ln -s dir /tree/link\n" : "";
  const dockerfile = `FROM busybox
WORKDIR /new/dir
COPY file .
${runs}COPY <<EOT /inline
text
EOT
CMD ["true"]
`;

  const archiveOf = async (build: EngineUnderTest["build"], name: string, options: string): Promise<string> => {
    const context = under.directory({ Dockerfile: dockerfile, file: "content" });
    const archive = join(under.path, name);
    await build(withEpoch, "-t", "app", "-o", `type=oci,dest=${archive}${options}`, context);
    return archive;
  };

  test(`gives equal archives from two stores at two times ${needsRoot === null ? "" : "(without RUN: not root)"}`, async () => {
    const first = await archiveOf(under.build, "first.tar", ",rewrite-timestamp=true");
    // Times in a tar are whole seconds.
    await delay(1100);
    const second = await archiveOf((await under.another()).build, "second.tar", ",rewrite-timestamp=true");
    expect(sha256Of(second)).toBe(sha256Of(first));
  });

  test("leaves nothing in new layers younger than it, and is the time of the image", async () => {
    const [image] = await readOciArchive(await archiveOf(under.build, "image.tar", ",rewrite-timestamp=true"));
    const times = (image?.layers ?? []).slice(1).flatMap((layer) => listTar(layer).map(({ mtime }) => mtime));
    expect(times.length).toBeGreaterThan(3);
    expect(Math.max(...times)).toBe(epoch);
    const config = image?.config as unknown as { created: string; history: { created: string }[] };
    const at = new Date(epoch * 1000).toISOString().replace(".000", "");
    expect(config.created).toBe(at);
    expect(config.history.at(-1)?.created).toBe(at);
    const layers = image?.manifest.layers as { annotations?: Record<string, string> }[];
    expect(layers.map(({ annotations }) => annotations?.["buildkit/rewritten-timestamp"])).toEqual([
      undefined,
      ...layers.slice(1).map(() => String(epoch)),
    ]);
  });

  test("without rewriting keeps the times of copied files, but for the directories of WORKDIR", async () => {
    const context = under.directory({ Dockerfile: "FROM scratch\nWORKDIR /w\nCOPY file .\n", file: "content" });
    utimesSync(join(context, "file"), epoch + 7, epoch + 7);
    const archive = join(under.path, "image.tar");
    await under.build(withEpoch, "-o", `type=oci,dest=${archive}`, context);
    const [image] = await readOciArchive(archive);
    const [workdir, copied] = (image?.layers ?? []).map((layer) => listTar(layer));
    expect(workdir?.map(({ name, mtime }) => [name, mtime])).toEqual([["w/", epoch]]);
    expect(copied?.find(({ name }) => name === "w/file")?.mtime).toBe(epoch + 7);
  });

  test("of an output counts more than that of the build, and can be switched off there", async () => {
    const context = under.directory({ Dockerfile: "FROM scratch\nCOPY file .\n", file: "content" });
    const created = async (options: string): Promise<string> => {
      const archive = join(under.path, "image.tar");
      await under.build(withEpoch, "-o", `type=oci,dest=${archive}${options}`, context);
      const [image] = await readOciArchive(archive);
      return (image?.config as unknown as { created?: string } | undefined)?.created ?? "";
    };
    expect(await created(",source-date-epoch=1000")).toBe("1970-01-01T00:16:40Z");
    expect(await created("")).toBe("2023-11-14T22:13:20Z");
    expect(Date.parse(await created(",source-date-epoch="))).toBeGreaterThan(epoch * 1000 + 1);
  });

  test("is the time of every file of a directory or tar", async () => {
    const context = under.directory({ Dockerfile: "FROM scratch\nCOPY file dir/\n", file: "content" });
    const [directory, tar] = [join(under.path, "out"), join(under.path, "out.tar")];
    await under.build(withEpoch, "-o", directory, "-o", `type=tar,dest=${tar}`, context);
    for (const name of ["dir", "dir/file"]) expect(lstatSync(join(directory, name)).mtimeMs).toBe(epoch * 1000);
    expect(listTar(readFileSync(tar)).map(({ mtime }) => mtime)).toEqual([epoch, epoch]);
    expect(execFileSync("tar", ["-tf", tar], { encoding: "utf8" })).toBe("dir/\ndir/file\n");
  });

  test("that is missing makes rewriting a warning", async () => {
    const context = under.directory({ Dockerfile: "FROM scratch\nCOPY file .\n", file: "content" });
    const archive = join(under.path, "image.tar");
    const { receipt } = await under.build("-o", `type=oci,dest=${archive},rewrite-timestamp=true`, context);
    expect(receipt.warnings.map(({ rule }) => rule)).toEqual(["RewriteTimestamp"]);
  });
});
