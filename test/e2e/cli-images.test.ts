import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { baseFlags, type CliResult, runCli, runCliWell } from "../support/cli.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { writeContext } from "../support/write-context.ts";

const shared = useSharedDirectory();
const hello = fileURLToPath(new URL("../../fixtures/hello", import.meta.url));
const store = (): string => join(shared.path, "store");
const tsbuild = (...args: string[]): Promise<CliResult> => runCliWell(args, { root: store() });
const linesOf = (result: CliResult): string[] => result.stdout.toString().trimEnd().split("\n");

/** The tests of this file are one story: each begins with the store the one before it left. */
describe.skipIf(needsRoot !== null)(
  `the life of an image${needsRoot === null ? "" : ` (skipped: ${needsRoot})`}`,
  () => {
    let imageId: string;
    beforeAll(async () => {
      await tsbuild("-t", "demo/hello", "-t", "demo/hello:v1", ...baseFlags, hello);
    });

    test("a second build takes every step from the cache and prints the same image ID", async () => {
      const again = await tsbuild(...baseFlags, hello);
      const steps = again.stderr.match(/^#\d+ \[.*$/gm) ?? [];
      expect(steps).toHaveLength(7);
      expect(again.stderr.match(/^#\d+ CACHED$/gm)).toHaveLength(steps.length);
      expect(again.stderr).not.toMatch(/^#\d+ DONE/m);
      const quiet = await tsbuild("-q", ...baseFlags, hello);
      expect(quiet.stderr).toBe("");
      imageId = quiet.stdout.toString().trim();
      expect(imageId).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(again.stderr).toContain(imageId);
    });

    test("--no-cache runs every RUN and COPY again", async () => {
      const { stderr } = await tsbuild("--no-cache", ...baseFlags, hello);
      const steps = [...stderr.matchAll(/^#(\d+) \[.*\] (RUN|COPY)/gm)];
      expect(steps).toHaveLength(5);
      for (const [, number] of steps) expect(stderr).toMatch(new RegExp(`^#${number} DONE`, "m"));
    });

    test("--iidfile and --metadata-file say what was made", async () => {
      const [iidFile, metadataFile] = [join(shared.path, "iid"), join(shared.path, "metadata")];
      await tsbuild("--iidfile", iidFile, "--metadata-file", metadataFile, "-t", "demo/hello", ...baseFlags, hello);
      imageId = readFileSync(iidFile, "utf8");
      expect(imageId).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(JSON.parse(readFileSync(metadataFile, "utf8"))).toMatchObject({
        "containerimage.config.digest": imageId,
        "image.name": "demo/hello",
        images: [{ imageId }],
      });
    });

    test("images lists it by every name", async () => {
      const rows = linesOf(await tsbuild("images")).map((line) => line.split(/ {2,}/));
      expect(rows[0]?.slice(0, 3)).toEqual(["REPOSITORY", "TAG", "IMAGE ID"]);
      expect(rows.slice(1).map(([repository, tag]) => `${repository}:${tag}`)).toEqual([
        "demo/hello:latest",
        "demo/hello:v1",
      ]);
      expect(linesOf(await tsbuild("images", "-q", "--no-trunc", "demo/hello"))).toContain(imageId);
      expect(linesOf(await tsbuild("images", "other"))).toHaveLength(1);
    });

    test("history shows its steps, newest first, and those of the base", async () => {
      const rows = linesOf(await tsbuild("history", "demo/hello"));
      expect(rows[1]).toContain("CMD [");
      expect(rows.at(-1)).toContain("busybox-static of Debian");
    });

    test("inspect prints its config", async () => {
      const [found] = JSON.parse((await tsbuild("inspect", "demo/hello")).stdout.toString()) as Record<
        string,
        unknown
      >[];
      expect(found).toMatchObject({
        Id: imageId,
        RepoTags: ["demo/hello:latest"],
        Config: {
          User: "nobody",
          ExposedPorts: { "8080/tcp": {} },
          Labels: { "org.opencontainers.image.title": "hello" },
        },
      });
      const byId = JSON.parse((await tsbuild("inspect", imageId.slice(7, 19))).stdout.toString()) as unknown[];
      expect(byId).toEqual([found]);
    });

    test("an image that was built here is a base for the next one", async () => {
      const context = writeContext(join(shared.path, "next"), { Dockerfile: "FROM demo/hello\nLABEL next=yes\n" });
      await tsbuild("-t", "demo/next", context);
      expect((await tsbuild("history", "demo/next")).stdout.toString()).toContain("LABEL next=yes");
    });

    test("tag names it, rmi takes names away and the image with the last one", async () => {
      await tsbuild("tag", "demo/hello", "demo/renamed:2");
      expect((await tsbuild("images", "demo/renamed")).stdout.toString()).toMatch(/^demo\/renamed +2 /m);
      await tsbuild("rmi", "demo/renamed:2", "demo/hello:v1", "demo/next");
      expect(linesOf(await tsbuild("images")).slice(1)).toHaveLength(1);
      const missing = await runCli(["rmi", "demo/renamed:2"], { root: store() });
      expect(missing.code).toBe(1);
      expect(missing.stderr).toMatch(/^ERROR: .*demo\/renamed:2/);
      for (const command of ["history", "inspect"]) {
        expect((await runCli([command, "demo/none"], { root: store() })).code).toBe(1);
      }
      expect((await runCli(["tag", "demo/none", "demo/x"], { root: store() })).code).toBe(1);
    });

    test("du counts, prune keeps what the image needs, prune --all what an image needs", async () => {
      expect((await tsbuild("du")).stdout.toString()).toMatch(/^Total [\d.]+MB/m);
      await tsbuild("prune");
      const afterwards = await tsbuild("-q", ...baseFlags, hello);
      expect(afterwards.stdout.toString().trim()).toBe(imageId);
      await tsbuild("rmi", "demo/hello");
      await tsbuild("prune", "--all");
      expect(readdirSync(join(store(), "layers"))).toEqual([]);
      expect(linesOf(await tsbuild("images"))).toHaveLength(1);
      expect(readdirSync(join(store(), "tmp"))).toEqual([]);
    });

    test("a pruned store builds", async () => {
      const again = await tsbuild(...baseFlags, hello);
      expect(again.stderr).toMatch(/^#\d+ DONE/m);
    });
  },
);
