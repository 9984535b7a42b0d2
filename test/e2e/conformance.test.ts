import { execFile, execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BuildEvent } from "../../src/base/build-event.ts";
import { isBuildError } from "../../src/base/errors.ts";
import { type Engine, openEngine } from "../../src/engine/engine.ts";
import { startBaseRegistry } from "../support/base-registry.ts";
import { requestOf } from "../support/build-request.ts";
import { type ConformanceResult, differencesOf, resultOf } from "../support/conformance-result.ts";
import { type ArchivedImage, readOciArchive } from "../support/oci-archive.ts";
import type { TestRegistry } from "../support/registry.ts";
import { needsRoot } from "../support/skip-reason.ts";

type Golden = ConformanceResult | { readonly error: string };

const cases = fileURLToPath(new URL("../../fixtures/conformance", import.meta.url));
const execute = promisify(execFile);
let directory: string;
let registry: TestRegistry;
let engine: Engine;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "tsbuild-conformance-"));
  registry = await startBaseRegistry();
  const config = join(directory, "config.json");
  writeFileSync(config, JSON.stringify({ registries: { "registry.test": { mirrors: [registry.host] } } }));
  engine = await openEngine({
    root: join(directory, "store"),
    environment: { ...process.env, TSBUILD_CONFIG: config },
  });
});
afterAll(async () => {
  await engine.close();
  await registry.close();
  rmSync(directory, { recursive: true, force: true });
});

describe.concurrent("a Dockerfile builds as BuildKit builds it:", () => {
  test.for(readdirSync(cases).sort())("%s", async (name, { skip }) => {
    const reason = whyNotHere(name);
    if (reason !== null) skip(reason);
    const golden = JSON.parse(readFileSync(join(cases, name, "golden.json"), "utf8")) as Golden;
    if ("error" in golden) {
      await expectRefusal(name);
      return;
    }
    expect(differencesOf(golden, await buildTwice(name))).toEqual([]);
  });
});

/** Tools beyond the shell and coreutils that scripts of the cases call. */
const tools = ["python3", "bzip2", "xz", "zstd", "setfattr"];
const missingTools = tools.filter((tool) => {
  try {
    execFileSync("sh", ["-c", `command -v ${tool}`], { stdio: "ignore" });
    return false;
  } catch {
    return true;
  }
});

/** Why a case cannot be built on this machine; null when it can. */
function whyNotHere(name: string): string | null {
  const [dockerfile = "", ...scripts] = ["Dockerfile", "context.sh", "mutate.sh"].map((file) =>
    readCaseFile(name, file),
  );
  if (process.arch !== "x64") return "the goldens were made on amd64";
  if (needsRoot !== null && /^\s*(onbuild\s+)?run\b/im.test(dockerfile)) return `RUN: ${needsRoot}`;
  if (needsRoot !== null && scripts.some((script) => /\bchown\b/.test(script))) return `chown: ${needsRoot}`;
  const missing = missingTools.find((tool) => scripts.some((script) => new RegExp(`\\b${tool}\\b`).test(script)));
  return missing === undefined ? null : `no ${missing} here`;
}

const readCaseFile = (name: string, file: string): string => {
  const path = join(cases, name, file);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
};

/** A case in progress: its context, where its archive goes, and its builds. */
class CaseRun {
  readonly output: string;
  readonly #name: string;
  readonly #context: string;

  private constructor(name: string, root: string) {
    this.#name = name;
    this.#context = join(root, "context");
    this.output = join(root, "image.tar");
  }

  static async start(name: string): Promise<CaseRun> {
    const run = new CaseRun(name, mkdtempSync(join(directory, `${name}-`)));
    mkdirSync(run.#context);
    chmodSync(run.#context, 0o755);
    await run.script("context.sh");
    return run;
  }

  /** Runs a script of the case in the context, if there is one. */
  async script(file: string): Promise<void> {
    const path = join(cases, this.#name, file);
    if (!existsSync(path)) return;
    const environment = { ...process.env, CASE: join(cases, this.#name), TZ: "UTC" };
    const command = ["-c", 'umask 022; exec sh -eu "$0"', path];
    await execute("sh", command, { cwd: this.#context, env: environment });
  }

  async build(): Promise<void> {
    const flags = readCaseFile(this.#name, "flags")
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => line.replaceAll("@CTX@", this.#context));
    const log: string[] = [];
    const emit = (event: BuildEvent): void => {
      if (event.kind === "log") log.push(event.line);
    };
    const dockerfile = join(cases, this.#name, "Dockerfile");
    const output = `type=oci,dest=${this.output}`;
    const request = await requestOf([...flags, "-f", dockerfile, "--output", output, this.#context]);
    try {
      await engine.build(request, { emit }, new AbortController().signal);
    } catch (error) {
      if (isBuildError(error)) error.message += `\n${log.join("\n")}`;
      throw error;
    }
  }

  async image(): Promise<ArchivedImage> {
    const [image, ...more] = await readOciArchive(this.output);
    if (image === undefined || more.length > 0) throw new Error(`${more.length + 1} images, want one`);
    return image;
  }
}

async function expectRefusal(name: string): Promise<void> {
  const run = await CaseRun.start(name);
  const error = await run.build().then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error, "the build was to be refused").not.toBeNull();
  expect(isBuildError(error) && error.code !== "INTERNAL", String(error)).toBe(true);
  expect(existsSync(run.output), "a refused build leaves no output").toBe(false);
}

async function buildTwice(name: string): Promise<ConformanceResult> {
  const startedAtMs = Date.now();
  const base = readCaseFile(name, "base").trim();
  const baseLayers = base === "" ? 1 : Number(base);
  const run = await CaseRun.start(name);
  await run.build();
  const first = await run.image();
  const result = await resultOf(first, baseLayers, startedAtMs);
  if (!existsSync(join(cases, name, "mutate.sh"))) return result;
  // Times in a tar are whole seconds: a layer made anew within the same one would look kept.
  await delay(1000 - (Date.now() % 1000));
  await run.script("mutate.sh");
  await run.build();
  const second = await run.image();
  const kept = first.config.rootfs.diff_ids.map((diffId, at) => diffId === second.config.rootfs.diff_ids[at]);
  return { ...result, kept: kept.slice(baseLayers) };
}
