import { once } from "node:events";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { baseFlags, type CliResult, runCli, runCliWell, startCli } from "../support/cli.ts";
import { TestRegistry } from "../support/registry.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { needsRoot } from "../support/skip-reason.ts";
import { writeContext } from "../support/write-context.ts";

const shared = useSharedDirectory();
const root = (): string => join(shared.path, "store");
const tsbuild = (...args: string[]): Promise<CliResult> => runCliWell(args, { root: root() });
const outputOf = async (...args: string[]): Promise<string> => (await tsbuild(...args)).stdout.toString();
const namesOf = async (): Promise<string[]> =>
  (await outputOf("images", "--format", "{{.Repository}}:{{.Tag}}"))
    .split("\n")
    .filter((line) => line !== "")
    .sort();

const dockerfile = `FROM base
RUN mkdir /app && echo built > /app/how && chown 7:8 /app/how && chmod 4750 /app/how
ENV MODE=fast
CMD ["cat", "/app/how"]
`;

let registry: TestRegistry;
beforeAll(async () => {
  registry = await TestRegistry.start({ kind: "basic", username: "me", password: "s3cret" });
  registry.fail(/^GET \/v2\/$/, (request, response, answer) => {
    if (request.headers.authorization !== `Basic ${Buffer.from("me:s3cret").toString("base64")}`) answer();
    else response.writeHead(200).end("{}");
  });
});
afterAll(() => registry.close());

/** The commands of an introduction, in its order: each test begins with the store the one before it left. */
describe.skipIf(needsRoot !== null)(`an introduction${needsRoot === null ? "" : ` (skipped: ${needsRoot})`}`, () => {
  const privateName = (): string => `${registry.host}/ns/app:1.0`;

  test("images: nothing yet", async () => {
    expect(await outputOf("images")).toBe("REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n");
  });

  test("build -t -f: an image of a Dockerfile with another name", async () => {
    const context = writeContext(join(shared.path, "context"), { "Dockerfile.app": dockerfile });
    await tsbuild("build", "-t", "ns/app:1.0", "-f", join(context, "Dockerfile.app"), ...baseFlags, context);
    expect(await namesOf()).toEqual(["ns/app:1.0"]);
    expect(await outputOf("inspect", "-f", "{{index .Config.Env 1}} {{.Config.Cmd}}", "ns/app:1.0")).toBe(
      "MODE=fast [cat /app/how]\n",
    );
  });

  test("run: a program in the image", async () => {
    expect(await outputOf("run", "--rm", "ns/app:1.0")).toBe("built\n");
    expect(await outputOf("run", "--name", "try", "ns/app:1.0", "sh", "-c", "echo $MODE >/app/how")).toBe("");
    expect(await outputOf("ps", "-a", "--format", "{{.Names}} {{.Image}}")).toBe("try ns/app:1.0\n");
  });

  test("commit, rm: an image of what it changed", async () => {
    await tsbuild("commit", "-c", 'CMD ["cat","/app/how"]', "try", "ns/changed");
    expect(await outputOf("run", "--rm", "ns/changed")).toBe("fast\n");
    await tsbuild("rm", "try");
    await tsbuild("rmi", "ns/changed");
  });

  test("history: its steps", async () => {
    const steps = (await outputOf("history", "--format", "{{.CreatedBy}}", "ns/app:1.0")).split("\n");
    expect(steps.slice(0, 3)).toEqual([
      'CMD ["cat" "/app/how"]',
      "ENV MODE=fast",
      expect.stringMatching(/^RUN \/bin\/sh -c mkdir \/app/),
    ]);
  });

  test("export | import: one layer with every owner and mode", async () => {
    const [from, into] = [
      ["export", "ns/app:1.0"],
      ["import", "-c", "CMD sh", "-", "ns/flat:new"],
    ].map((args) => startCli(args, { root: root() }));
    if (!from?.stdout || !into?.stdin) throw new Error("the processes have no pipes");
    const ended = Promise.all([once(from, "close"), once(into, "close")]);
    await pipeline(from.stdout, into.stdin);
    expect((await ended).map(([code]) => code)).toEqual([0, 0]);
    expect(await outputOf("inspect", "-f", "{{len .RootFS.Layers}}", "ns/flat:new")).toBe("1\n");
    expect(await outputOf("ls", "ns/flat:new:/app")).toMatch(/^-rwsr-x--- {2}7:8 {2}6 {2}.* {2}how\n$/);
    expect(await outputOf("cat", "ns/flat:new:/app/how")).toBe("built\n");
  });

  test("rmi: a name, and with the last one the image", async () => {
    await tsbuild("tag", "ns/flat:new", "ns/flat:again");
    expect(await outputOf("rmi", "ns/flat:new")).toBe("Untagged: ns/flat:new\n");
    expect(await outputOf("rmi", "ns/flat:again")).toMatch(
      /^Untagged: ns\/flat:again\nDeleted: sha256:[0-9a-f]{64}\n$/,
    );
    expect(await namesOf()).toEqual(["ns/app:1.0"]);
  });

  test("push: to a private registry, after login", async () => {
    await tsbuild("tag", "ns/app:1.0", privateName());
    expect((await runCli(["push", privateName()], { root: root() })).code).toBe(1);
    const login = ["login", "-u", "me", "--password-stdin", registry.host];
    await runCliWell(login, { root: root(), stdin: "s3cret\n" });
    expect(await outputOf("push", "-q", privateName())).toMatch(
      /^127\.0\.0\.1:\d+\/ns\/app:1\.0@sha256:[0-9a-f]{64}\n$/,
    );
  });

  test("pull: the same image again, after everything was removed", async () => {
    const imageId = await outputOf("inspect", "-f", "{{.Id}}", "ns/app:1.0");
    await tsbuild("rmi", "ns/app:1.0", privateName());
    await tsbuild("prune", "--all");
    expect(await namesOf()).toEqual([]);
    await tsbuild("pull", "-q", privateName());
    expect(await outputOf("inspect", "-f", "{{.Id}}", privateName())).toBe(imageId);
    expect(await outputOf("cat", `${privateName()}:/app/how`)).toBe("built\n");
    expect(await outputOf("images", "--digests", "--format", "{{.Digest}}")).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  });
});
