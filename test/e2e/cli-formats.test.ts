import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type CliResult, runCli, runCliWell } from "../support/cli.ts";
import { rawTar } from "../support/raw-tar.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";

const shared = useSharedDirectory();
const root = (): string => join(shared.path, "store");
const outputOf = async (...args: string[]): Promise<string> =>
  (await runCliWell(args, { root: root() })).stdout.toString();
const failureOf = async (...args: string[]): Promise<CliResult> => runCli(args, { root: root() });
let imageId = "";

beforeAll(async () => {
  const changes = ["-c", 'CMD ["sh"]', "-c", "LABEL a=b c=d", "-m", "made here"];
  const stdin = rawTar({ name: "a", content: "a", mode: 0o644, mtime: 0 });
  const { stdout } = await runCliWell(["import", ...changes, "-", "demo/a:1"], { root: root(), stdin });
  imageId = stdout.toString().trim();
  await runCliWell(["tag", "demo/a:1", "host.example/demo/b"], { root: root() });
});

test("images takes filters and formats", async () => {
  const lines = (await outputOf("images", "--no-trunc", "--format", "json", "demo/*")).trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      Containers: "N/A",
      CreatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC$/),
      CreatedSince: expect.stringMatching(/ ago$/),
      Digest: "<none>",
      ID: imageId,
      Platform: expect.stringMatching(/^linux\//),
      Repository: "demo/a",
      SharedSize: "0B",
      Size: "2.05kB",
      Tag: "1",
      UniqueSize: "2.05kB",
    },
  ]);
  const table = ["images", "--filter", "reference=*/*/b", "--format", "table {{.Repository}}\\t{{.Tag}}"];
  expect(await outputOf(...table)).toBe("REPOSITORY            TAG\nhost.example/demo/b   latest\n");
  expect(await outputOf("images", "-aq", "--filter", "label=a=x")).toBe("");
});

test("history takes formats, and =false as Go's programs do", async () => {
  expect(await outputOf("history", "--human=false", "--no-trunc=true", "demo/a:1")).toMatch(
    /^IMAGE +CREATED AT +CREATED BY +SIZE +COMMENT\nsha256:[0-9a-f]{64} +[-\d]+T[:\d]+Z +2048 +made here\n$/,
  );
  expect(await outputOf("history", "--format", "{{.Comment}}|{{.Size}}", "demo/a:1")).toBe("made here|2.05kB\n");
});

test("inspect takes templates and several images, and prints what it finds", async () => {
  const format = "{{.Config.Labels}} {{json .Config.Cmd}}{{range .RepoTags}} {{.}}{{end}} {{.Config.User}}";
  const line = 'map[a:b c:d] ["sh"] demo/a:1 host.example/demo/b:latest \n';
  expect(await outputOf("inspect", "-f", format, "demo/a:1", imageId.slice(7, 19))).toBe(line + line);
  const some = await failureOf("inspect", "-f", "{{.Id}}", "demo/none", "demo/a:1");
  expect([some.code, some.stdout.toString()]).toEqual([1, `${imageId}\n`]);
  expect(some.stderr).toContain('"demo/none": not found');
});

test.each([
  [["images", "--format", "{{.Nope}}"], "there is no field .Nope"],
  [["inspect", "-f", "{{.Config", "demo/a:1"], "action is not closed"],
  [["images", "--filter", "colour=red"], "unknown filter"],
  [["tag", "demo/a:1", `demo/c@sha256:${"0".repeat(64)}`], "a digest cannot be given"],
])("%j is refused", async (args, message) => {
  const { code, stderr } = await failureOf(...args);
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
});

test("rmi tells what it took away, and removes an image of several names only with --force", async () => {
  const refused = await failureOf("rmi", imageId);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("demo/a:1, host.example/demo/b:latest")]);
  expect(await outputOf("rmi", "host.example/demo/b")).toBe("Untagged: host.example/demo/b:latest\n");
  expect(await outputOf("rmi", "-f", "demo/none", imageId.slice(7, 17))).toBe(
    `Untagged: demo/a:1\nDeleted: ${imageId}\n`,
  );
});

test("prune takes images away that filters name, du tells what is left and what it shares", async () => {
  const importImage = async (name: string, label: string): Promise<void> => {
    const stdin = rawTar({ name, content: "x".repeat(3000), mode: 0o644, mtime: 0 });
    await runCliWell(["import", "-c", `LABEL stage=${label}`, "-", `prune/${name}`], { root: root(), stdin });
  };
  await importImage("a", "ci");
  await importImage("b", "release");
  await runCliWell(["tag", "prune/b", "prune/c"], { root: root() });
  const details = JSON.parse(await outputOf("du", "-v", "--format", "json"));
  expect(details.Images).toHaveLength(3);
  expect(details.Images[0]).toMatchObject({ SharedSize: "0B", UniqueSize: details.Images[0].Size });
  expect(details.Layers.map(({ Images }: { Images: number }) => Images)).toEqual(expect.arrayContaining([1, 1]));
  expect(await outputOf("prune", "--images", "--filter", "label!=stage=release")).toMatch(
    /^Untagged: prune\/a:latest\nRemoved /,
  );
  expect(await outputOf("images", "--format", "{{.Repository}}")).toBe("prune/b\nprune/c\n");
  const refused = await failureOf("prune", "--filter", "label=stage=ci");
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("--images")]);
  expect(await outputOf("prune", "--images", "-f", "--until", "1h", "--max-used-space", "1g")).toMatch(
    /^Removed 0 layers/,
  );
  expect(await outputOf("du", "--format", "{{.Type}}={{.TotalCount}}")).toContain("layers=1\n");
});
