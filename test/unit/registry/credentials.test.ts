import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Credentials, DockerCredentials } from "../../../src/registry/credentials.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const directory = useTemporaryDirectory();
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const hub = "https://index.docker.io/v1/";

function credentials(config: unknown): DockerCredentials {
  writeFileSync(join(directory.path, "config.json"), typeof config === "string" ? config : JSON.stringify(config));
  return new DockerCredentials({ DOCKER_CONFIG: directory.path, PATH: `${directory.path}:${process.env.PATH}` });
}

/** A helper that answers `secret-of-<server>`; each run leaves a line in `runs`. */
function addHelper(name: string, username = "me"): void {
  const file = join(directory.path, `docker-credential-${name}`);
  const answer = `printf '{"ServerURL":"%s","Username":"${username}","Secret":"secret-of-%s"}' "$server" "$server"`;
  writeFileSync(file, `#!/bin/sh\nread server\necho "$1 $server" >>"${directory.path}/runs"\n${answer}\n`);
  chmodSync(file, 0o755);
}

const password = (username: string, secret: string): Credentials => ({ kind: "password", username, password: secret });

describe("auths", () => {
  test.each<[string, string, object, Credentials | null]>([
    ["a host", "ghcr.io", { "ghcr.io": { auth: base64("me:pw") } }, password("me", "pw")],
    [
      "a host and port",
      "reg:5000",
      { reg: { auth: base64("no:no") }, "reg:5000": { auth: base64("me:pw") } },
      password("me", "pw"),
    ],
    ["docker hub", "docker.io", { [hub]: { auth: base64("me:pw") } }, password("me", "pw")],
    ["a URL", "reg.example", { "https://reg.example/v1/": { auth: base64("me:pw") } }, password("me", "pw")],
    ["a password with colons", "ghcr.io", { "ghcr.io": { auth: base64("me:a:b:c") } }, password("me", "a:b:c")],
    ["name and password apart", "ghcr.io", { "ghcr.io": { username: "me", password: "pw" } }, password("me", "pw")],
    [
      "an identity token",
      "ghcr.io",
      { "ghcr.io": { auth: base64("me:"), identitytoken: "t" } },
      { kind: "identity-token", token: "t" },
    ],
    ["a registry token", "ghcr.io", { "ghcr.io": { registrytoken: "t" } }, { kind: "bearer", token: "t" }],
    ["an empty entry", "ghcr.io", { "ghcr.io": {} }, null],
    [
      "another host",
      "ghcr.io",
      { "ghcr.io.evil.example": { auth: base64("me:pw") }, "cr.io": { auth: base64("me:pw") } },
      null,
    ],
    ["the name of an inherited member", "constructor", {}, null],
  ])("know %s", async (_name, registry, auths, expected) => {
    expect(await credentials({ auths }).find(registry)).toEqual(expected);
  });

  test("that are no base64 of name and password are an error that does not show them", async () => {
    const error = await rejectionOf(credentials({ auths: { "ghcr.io": { auth: base64("s3cret") } } }).find("ghcr.io"));
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toMatch(/auths\..*ghcr\.io.*\.auth: want base64 of name:password/);
    expect(error.message).not.toContain(base64("s3cret"));
  });
});

describe("credential helpers", () => {
  test("are asked before auths: the one of the registry, then the one for all", async () => {
    addHelper("one");
    addHelper("all");
    const config = {
      auths: { "ghcr.io": { auth: base64("file:pw") } },
      credHelpers: { "ghcr.io": "one" },
      credsStore: "all",
    };
    const source = credentials({ ...config });
    expect(await source.find("ghcr.io")).toEqual(password("me", "secret-of-ghcr.io"));
    expect(await source.find("docker.io")).toEqual(password("me", `secret-of-${hub}`));
  });

  test("run once a registry", async () => {
    addHelper("all");
    const source = credentials({ credsStore: "all" });
    await Promise.all([source.find("ghcr.io"), source.find("ghcr.io")]);
    await source.find("ghcr.io");
    expect(readFileSync(join(directory.path, "runs"), "utf8")).toBe("get ghcr.io\n");
  });

  test("may give an identity token", async () => {
    addHelper("all", "<token>");
    expect(await credentials({ credsStore: "all" }).find("ghcr.io")).toEqual({
      kind: "identity-token",
      token: "secret-of-ghcr.io",
    });
  });

  test("that are missing are an error", async () => {
    const error = await rejectionOf(credentials({ credsStore: "missing" }).find("ghcr.io"));
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: "credential helper docker-credential-missing: not found in PATH",
    });
  });
});

test("without a file there are no credentials", async () => {
  expect(await new DockerCredentials({ DOCKER_CONFIG: directory.path }).find("docker.io")).toBeNull();
  expect(await new DockerCredentials({ HOME: directory.path }).find("docker.io")).toBeNull();
});

test.each(["{", "[]", '{"auths":[]}', '{"credsStore":1}'])("the file %s is an error that names it", async (content) => {
  const error = await rejectionOf(credentials(content).find("docker.io"));
  expect(error.code).toBe("CONFIG_INVALID");
  expect(error.message).toContain(`docker config ${directory.path}/config.json: `);
});
