import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, realpath, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BuildError } from "../base/errors.ts";
import { parseJsonObject } from "../image/strict-json.ts";
import { eraseWithHelper, storeWithHelper } from "../sys/credential-helper.ts";
import { dockerConfigFile, hostOf, largestConfigBytes, serverOf } from "./credentials.ts";

type Json = Record<string, unknown>;

/**
 * Keeps a login where docker does: with the credential helper that docker's config.json names for the registry, or in
 * that file itself. Returns what keeps it. Throws CONFIG_INVALID.
 */
export async function saveCredentials(
  registry: string,
  username: string,
  password: string,
  environment: NodeJS.ProcessEnv,
): Promise<string> {
  const file = dockerConfigFile(environment);
  const server = serverOf(registry);
  const config = await readConfig(file);
  const helper = helperOf(config, server);
  const auths = objectAt(config, "auths");
  if (helper !== null) {
    await storeWithHelper(helper, { server, username, secret: password }, environment);
    await writeConfig(file, { ...config, auths: { ...auths, [server]: {} } });
    return `credential helper ${helper}`;
  }
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  await writeConfig(file, { ...config, auths: { ...auths, [server]: { auth } } });
  return file;
}

/** Forgets a login, wherever it is kept; false when there was none. Throws CONFIG_INVALID. */
export async function forgetCredentials(registry: string, environment: NodeJS.ProcessEnv): Promise<boolean> {
  const file = dockerConfigFile(environment);
  const server = serverOf(registry);
  const config = await readConfig(file);
  const helper = helperOf(config, server);
  const wasInHelper = helper !== null && (await eraseWithHelper(helper, server, environment));
  const auths = objectAt(config, "auths");
  const kept = Object.entries(auths).filter(([name]) => hostOf(name) !== hostOf(server));
  if (kept.length === Object.keys(auths).length) return wasInHelper;
  await writeConfig(file, { ...config, auths: Object.fromEntries(kept) });
  return true;
}

function helperOf(config: Json, server: string): string | null {
  const own = objectAt(config, "credHelpers")[server];
  const helper = typeof own === "string" && own !== "" ? own : config.credsStore;
  return typeof helper === "string" && helper !== "" ? helper : null;
}

function objectAt(config: Json, key: string): Json {
  const value = Object.hasOwn(config, key) ? config[key] : undefined;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

async function readConfig(file: string): Promise<Json> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    if (codeOf(cause) === "ENOENT") return null;
    throw failure(file, `cannot be read (${codeOf(cause)})`);
  });
  if (bytes === null || bytes.length === 0) return {};
  parseJsonObject(bytes, largestConfigBytes, (problem) => failure(file, problem));
  return JSON.parse(bytes.toString("utf8")) as Json;
}

/** Only its owner may read the file. One that is a link stays one. */
async function writeConfig(file: string, config: Json): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const target = await realpath(file).catch(() => file);
    const draft = join(dirname(target), `.config-${randomBytes(8).toString("hex")}`);
    const handle = await open(draft, "wx", 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(config, null, "\t")}\n`);
      await handle.sync();
      await handle.close();
      await rename(draft, target);
    } catch (error) {
      await handle.close().catch(() => {});
      await unlink(draft).catch(() => {});
      throw error;
    }
  } catch (cause) {
    throw failure(file, `cannot be written (${codeOf(cause)})`);
  }
}

const codeOf = (cause: unknown): string => (cause instanceof Error && "code" in cause ? String(cause.code) : "unknown");

const failure = (file: string, problem: string): BuildError =>
  new BuildError("CONFIG_INVALID", `docker config ${file}: ${problem}`, {
    hint: "logins are kept there, as docker keeps them; DOCKER_CONFIG names another directory",
  });
