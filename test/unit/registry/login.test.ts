import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkLogin } from "../../../src/registry/check-login.ts";
import { DockerCredentials } from "../../../src/registry/credentials.ts";
import { NodeHttpTransport } from "../../../src/registry/http-transport.ts";
import { forgetCredentials, saveCredentials } from "../../../src/registry/save-credentials.ts";
import { faults, type RegistryAuth, TestRegistry } from "../../support/registry.ts";
import { instantRetries } from "../../support/registry-client.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const signal = new AbortController().signal;
const temporary = useTemporaryDirectory();
const user = { name: "me", password: "s3cret" };

async function login(auth: RegistryAuth, password: string, prepare = (_registry: TestRegistry): void => {}) {
  const registry = await TestRegistry.start(auth);
  prepare(registry);
  const credentials = { kind: "password", username: "me", password } as const;
  try {
    await checkLogin(new NodeHttpTransport({}), registry.host, credentials, new Map(), instantRetries(), signal);
    return registry.log;
  } finally {
    await registry.close();
  }
}

describe("a login is checked with the registry", () => {
  const bearer = { kind: "bearer", user } as const;
  const basic = { kind: "basic", username: user.name, password: user.password } as const;

  test.each([
    ["bearer", bearer, ["GET /v2/", "GET /token?service=test", "GET /v2/"]],
    ["basic", basic, ["GET /v2/", "GET /v2/"]],
  ] as const)("%s: the right password", async (_, auth, log) => {
    const answer = (registry: TestRegistry): void =>
      registry.fail(/^GET \/v2\/$/, (request, response, otherwise) => {
        if (request.headers.authorization === undefined) otherwise();
        else response.writeHead(200).end("{}");
      });
    expect(await login(auth, "s3cret", answer)).toEqual(log);
  });

  test.each([
    ["bearer", bearer],
    ["basic", basic],
  ] as const)("%s: a wrong password", async (_, auth) => {
    const error = await rejectionOf(login(auth, "wrong"));
    expect(error).toMatchObject({ code: "SOURCE_UNAUTHORIZED" });
    expect(error.message).toContain("not accepted");
    expect(`${error.message}${error.hint}`).not.toContain("wrong");
  });

  test("a registry that fails is no wrong password", async () => {
    const error = await rejectionOf(login(bearer, "s3cret", (registry) => registry.fail(/v2/, faults.status(503))));
    expect(error).toMatchObject({ code: "SOURCE_UNAVAILABLE" });
  });
});

describe("a login is kept", () => {
  const environment = (): NodeJS.ProcessEnv => ({ DOCKER_CONFIG: join(temporary.path, "docker") });
  const file = (): string => join(temporary.path, "docker", "config.json");
  const config = (): unknown => JSON.parse(readFileSync(file(), "utf8"));
  const write = (content: object): void => {
    mkdirSync(join(temporary.path, "docker"), { recursive: true });
    writeFileSync(file(), JSON.stringify(content), { mode: 0o644 });
  };

  test.each(["r.example:5000", "docker.io"])("in docker's file, where it is found again: %s", async (registry) => {
    await saveCredentials(registry, "me", "pä:ss", environment());
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(join(file(), "..")).mode & 0o777).toBe(0o700);
    const found = await new DockerCredentials(environment()).find(registry);
    expect(found).toEqual({ kind: "password", username: "me", password: "pä:ss" });
  });

  test("next to everything else that is in the file", async () => {
    write({ auths: { "other.example": { auth: "eDp5" } }, psFormat: "table", "a.b": [1] });
    await saveCredentials("r.example", "me", "pw", environment());
    expect(config()).toMatchObject({ auths: { "other.example": { auth: "eDp5" } }, psFormat: "table", "a.b": [1] });
    expect(await forgetCredentials("r.example", environment())).toBe(true);
    expect(config()).toEqual({ auths: { "other.example": { auth: "eDp5" } }, psFormat: "table", "a.b": [1] });
    expect(readdirSync(join(file(), ".."))).toEqual(["config.json"]);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  test("in the file a link leads to", async () => {
    mkdirSync(join(temporary.path, "docker"));
    writeFileSync(join(temporary.path, "real.json"), "{}");
    symlinkSync("../real.json", file());
    await saveCredentials("r.example", "me", "pw", environment());
    expect(readFileSync(join(temporary.path, "real.json"), "utf8")).toContain("r.example");
  });

  test("not in a file that is broken, which stays as it is", async () => {
    mkdirSync(join(temporary.path, "docker"));
    writeFileSync(file(), '{"auths":');
    expect(await rejectionOf(saveCredentials("r.example", "me", "pw", environment()))).toMatchObject({
      code: "CONFIG_INVALID",
    });
    expect(readFileSync(file(), "utf8")).toBe('{"auths":');
  });

  test("by the credential helper the file names, not in the file", async () => {
    const programs = join(temporary.path, "bin");
    mkdirSync(programs);
    const kept = join(temporary.path, "kept");
    const script = `#!/bin/sh\nread line\necho "$1 $line" >> ${kept}\n`;
    writeFileSync(join(programs, "docker-credential-test"), script);
    chmodSync(join(programs, "docker-credential-test"), 0o755);
    const withHelper = { ...environment(), PATH: `${programs}${delimiter}${process.env.PATH}` };
    write({ credHelpers: { "r.example": "test" } });
    expect(await saveCredentials("r.example", "me", "s3cret", withHelper)).toBe("credential helper test");
    expect(readFileSync(file(), "utf8")).not.toContain(Buffer.from("me:s3cret").toString("base64"));
    expect(await forgetCredentials("r.example", withHelper)).toBe(true);
    expect(readFileSync(kept, "utf8").trim().split("\n")).toEqual([
      'store {"ServerURL":"r.example","Username":"me","Secret":"s3cret"}',
      "erase r.example",
    ]);
  });

  test("by nobody: there is nothing to forget", async () => {
    expect(await forgetCredentials("r.example", environment())).toBe(false);
    expect(readdirSync(temporary.path)).toEqual([]);
  });
});
