import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parsePlatform } from "../../src/image/platform.ts";
import { requireProgramsOf } from "../../src/sandbox/foreign-programs.ts";
import { readOciArchive } from "../support/oci-archive.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { useEngine } from "../support/use-engine.ts";

const bothPlatforms = "--platform=linux/amd64,linux/arm64";
const foreign = process.arch === "arm64" ? "amd64" : "arm64";
const hasEmulation = ((): boolean => {
  try {
    requireProgramsOf(parsePlatform(`linux/${foreign}`), "");
    return true;
  } catch {
    return false;
  }
})();

/** Raw bytes of a member of an archive. */
const member = (archive: string, path: string): string =>
  execFileSync("tar", ["-xOf", archive, path], { encoding: "utf8" });

describe("a build for two platforms", () => {
  const under = useEngine();

  test("is one index with a manifest for each, and layers they share are there once", async () => {
    const context = under.directory({
      Dockerfile: "FROM busybox\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY file /\n",
      file: "content",
    });
    const archive = join(under.path, "image.tar");
    const { receipt } = await under.build(bothPlatforms, "-t", "app", "-o", `type=oci,dest=${archive}`, context);

    expect(receipt.images.map(({ platform }) => platform.architecture)).toEqual(["amd64", "arm64"]);
    const layout = JSON.parse(member(archive, "index.json"));
    expect(layout.manifests).toHaveLength(1);
    expect(layout.manifests[0].mediaType).toBe("application/vnd.oci.image.index.v1+json");
    const index = JSON.parse(member(archive, `blobs/${layout.manifests[0].digest.replace(":", "/")}`));
    expect(index.manifests.map(({ platform }: { platform: object }) => platform)).toEqual([
      { architecture: "amd64", os: "linux" },
      { architecture: "arm64", os: "linux" },
    ]);
    const [amd64, arm64] = await readOciArchive(archive);
    expect([amd64?.config.architecture, arm64?.config.architecture]).toEqual(["amd64", "arm64"]);
    expect(amd64?.config.config?.Labels).toEqual({ arch: "amd64" });
    expect(arm64?.config.config?.Labels).toEqual({ arch: "arm64" });
    const [amd64Layers, arm64Layers] = [amd64, arm64].map((image) => image?.config.rootfs.diff_ids ?? []);
    expect(amd64Layers?.[1]).toBe(arm64Layers?.[1]);
    expect(amd64Layers?.[0]).not.toBe(arm64Layers?.[0]);
    // Two base layers, the shared one, two configs, two manifests, the index.
    const blobs = execFileSync("tar", ["-tf", archive], { encoding: "utf8" }).match(/^blobs\/sha256\/.+$/gm);
    expect(blobs).toHaveLength(8);
  });

  test.skipIf(needsRoot !== null)(`runs a step of the build platform once ${needsRoot ?? ""}`, async () => {
    const context = under.directory({
      Dockerfile: `FROM --platform=$BUILDPLATFORM busybox AS tools
RUN cat /proc/sys/kernel/random/uuid > /id
FROM busybox
COPY --from=tools /id /id
`,
    });
    const archive = join(under.path, "image.tar");
    const { ran } = await under.build(bothPlatforms, "-o", `type=oci,dest=${archive}`, context);
    expect(ran.filter((name) => name.includes("RUN"))).toHaveLength(1);
    const ids = (await readOciArchive(archive)).map(({ config }) => config.rootfs.diff_ids[1]);
    expect(ids[0]).toBe(ids[1]);
  });

  test.skipIf(hasEmulation)(
    `refuses a RUN of the other ${hasEmulation ? "(emulation is installed here)" : ""}`,
    async () => {
      const context = under.directory({ Dockerfile: "FROM busybox\nCOPY file /\nRUN true\n", file: "" });
      await expect(under.build(`--platform=linux/${foreign}`, "-o", "type=cacheonly", context)).rejects.toMatchObject({
        code: "RUNTIME_UNAVAILABLE",
        message: expect.stringContaining(`linux/${foreign}`),
        location: { startLine: 3 },
      });
    },
  );
});
