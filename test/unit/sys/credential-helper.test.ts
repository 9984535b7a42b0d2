import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCredentialHelper } from "../../../src/sys/credential-helper.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const directory = useTemporaryDirectory();
const run = (script: string, server = "reg.example") => {
  const file = join(directory.path, "docker-credential-test");
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return runCredentialHelper("test", server, { PATH: `${directory.path}:${process.env.PATH}` });
};

test("a helper gets the server on stdin and answers with JSON", async () => {
  const answer = await run('read server; printf \'{"Username":"%s","Secret":"%s"}\' "$1" "$server"');
  expect(answer).toEqual({ username: "get", secret: "reg.example" });
});

test("a helper that knows nothing says so", async () => {
  expect(await run("echo credentials not found in native keychain; exit 1")).toBeNull();
});

test("a helper need not read its input", async () => {
  expect(await run('exec <&-; echo \'{"Username":"a","Secret":"b"}\'', "x".repeat(1e6))).toEqual({
    username: "a",
    secret: "b",
  });
});

test.each([
  ["fails", "echo s3cret; exit 3", "ended with status 3"],
  ["answers something else", "echo s3cret", "its answer is not JSON"],
  ["answers without a secret", 'echo \'{"Username":"s3cret"}\'', "has no Username and Secret"],
  ["answers null", "echo null", "has no Username and Secret"],
  ["never stops answering", "yes s3cret", "its answer is larger than 1048576 bytes"],
])("a helper that %s is an error that does not repeat it", async (_name, script, problem) => {
  const error = await rejectionOf(run(script));
  expect(error.code).toBe("CONFIG_INVALID");
  expect(error.message).toBe(`credential helper docker-credential-test: ${error.message.split(": ")[1]}`);
  expect(error.message).toContain(problem);
  expect(error.message + String(error.cause)).not.toContain("s3cret");
});

test.each(["../x", "a/b", "", "-x", "a b", "a;b", "a\0", ".x"])("%j is no helper's name", async (name) => {
  const error = await rejectionOf(runCredentialHelper(name, "reg.example", {}));
  expect(error.message).toContain("not a name");
});

test("a server is never read by a shell", async () => {
  const marker = join(directory.path, "marker");
  await run('read server; echo \'{"Username":"a","Secret":"b"}\'', `$(touch ${marker}); touch ${marker}`);
  expect(existsSync(marker)).toBe(false);
});
