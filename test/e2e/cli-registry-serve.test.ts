import { type ChildProcess, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import bcrypt from "bcryptjs";
import { afterEach, expect, test } from "vitest";
import { runCli, runCliWell, startCli } from "../support/cli.ts";
import { useSharedDirectory } from "../support/shared-directory.ts";
import { writeContext } from "../support/write-context.ts";

const shared = useSharedDirectory();
const store = (name: string): string => join(shared.path, name);
let server: ChildProcess | null = null;
afterEach(() => server?.kill("SIGKILL"));

/** Starts the registry on the store `name`; its `host:port`. */
async function serve(name: string, ...flags: readonly string[]): Promise<string> {
  server = startCli(["registry", "serve", "--addr", "127.0.0.1:0", ...flags], { root: store(name) });
  if (server.stdout === null) throw new Error("the process has no pipes");
  for await (const line of createInterface(server.stdout)) {
    const url = /^listening on http:\/\/(.*)$/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error("the registry has not started");
}

async function build(name: string, tag: string): Promise<string> {
  const directory = join(shared.path, `context-${randomBytes(4).toString("hex")}`);
  writeContext(directory, { Dockerfile: "FROM scratch\nCOPY f /f\n", f: randomBytes(100).toString("hex") });
  const { stdout } = await runCliWell(["-q", "-t", tag, directory], { root: store(name) });
  return stdout.toString().trim();
}

test("images go from one machine's store to another's and back, and the server ends politely", async () => {
  const imageId = await build("server", "team/app:1");
  const host = await serve("server", "--allow-push");
  const other = { root: store("other") };
  await runCliWell(["pull", `${host}/team/app:1`], other);
  const { stdout } = await runCliWell(["images", "-q", "--no-trunc"], other);
  expect(stdout.toString()).toContain(imageId);
  await runCliWell(["tag", `${host}/team/app:1`, `${host}/team/copy:2`], other);
  const pushed = await runCliWell(["push", "-q", `${host}/team/copy:2`], other);
  const served = await runCliWell(["manifest", "inspect", "--remote", `${host}/team/copy:2`], { root: store("third") });
  const digest = /Digest: +(sha256:\S+)/.exec(served.stdout.toString())?.[1];
  expect(pushed.stdout.toString()).toBe(`${host}/team/copy:2@${digest}\n`);
  // A build and a prune in the same store, while the server runs.
  await build("server", "team/app:2");
  await runCliWell(["prune", "--all"], { root: store("server") });
  await runCliWell(["pull", `${host}/team/app:2`], other);
  await runCliWell(["pull", `${host}/team/copy:2`], { root: store("fourth") });
  const ended = once(server as ChildProcess, "close");
  server?.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});

test("an index is made in one store and pulled whole from there, byte for byte", async () => {
  await build("index", "team/app:1");
  const directory = join(shared.path, "context-arm");
  writeContext(directory, { Dockerfile: "FROM scratch\nCOPY f /f\n", f: "arm" });
  const index = { root: store("index") };
  await runCliWell(["-q", "-t", "team/arm:1", "--platform", "linux/arm64", directory], index);
  const created = await runCliWell(
    ["manifest", "create", "team/multi:1", "team/app:1", "team/arm:1", "--annotation", "a=b"],
    index,
  );
  const host = await serve("index");
  const name = `${host}/team/multi:1`;
  const pulled = { root: store("pulled") };
  const { stdout } = await runCliWell(["pull", "-q", "--all-platforms", name], pulled);
  expect(stdout.toString()).toBe(`${name}@${created.stdout.toString()}`);
  const raw = await runCliWell(["manifest", "inspect", "--raw", name], pulled);
  expect(raw.stdout.equals((await runCliWell(["manifest", "inspect", "--raw", "team/multi:1"], index)).stdout)).toBe(
    true,
  );
  const { stdout: table } = await runCliWell(["manifest", "inspect", name], pulled);
  expect(table.toString()).toMatch(/^Name: +\S+\nMediaType: +\S+index\S+\nDigest: +sha256:/);
  expect(table.toString()).toContain("linux/arm64 ");
});

test("a read-only registry with users lets in who logged in, and takes nothing", async () => {
  await build("private", "app:1");
  const users = join(shared.path, "users");
  writeFileSync(users, `ann:${bcrypt.hashSync("secret", 4)}\n`);
  const host = await serve("private", "--htpasswd", users);
  const other = { root: store("user") };
  expect((await runCli(["pull", `${host}/app:1`], other)).code).toBe(1);
  await runCliWell(["login", "-u", "ann", "--password-stdin", host], { ...other, stdin: "secret" });
  await runCliWell(["pull", `${host}/app:1`], other);
  const refused = await runCli(["push", `${host}/app:1`], other);
  // Everything is there already, so that nothing is sent but the manifest.
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("405");
});

test("what is pushed to a registry that is killed is there when it runs again, and nothing is left behind", async () => {
  await build("client", "local:1");
  const host = await serve("killed", "--writable");
  const client = { root: store("client") };
  await runCliWell(["tag", "local:1", `${host}/app:1`], client);
  const { stdout } = await runCliWell(["push", "-q", `${host}/app:1`], client);
  await fetch(`http://${host}/v2/app/blobs/uploads/`, { method: "POST" });
  const ended = once(server as ChildProcess, "close");
  server?.kill("SIGKILL");
  await ended;
  const again = await serve("killed");
  const digest = stdout.toString().trim().split("@")[1] ?? "";
  expect((await fetch(`http://${again}/v2/app/manifests/${digest}`)).status).toBe(200);
  await expect
    .poll(() => execFileSync("find", [join(store("killed"), "tmp"), "-name", "upload-*"]).toString())
    .toBe("");
});
