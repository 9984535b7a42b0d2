import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { buildSync } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import { type Digest, digestFromHex, parseCacheKey, parseDiffId } from "../../../src/base/digest.ts";
import { compressBlock, compressBlockTask } from "../../../src/layer/compress-block.ts";
import { unpackLayer, unpackLayerTask } from "../../../src/layer/unpack-layer.ts";
import { CacheRecords } from "../../../src/store/cache-records.ts";
import { openLayerStore } from "../../../src/store/open-layer-store.ts";
import { openStore, type Store } from "../../../src/store/open-store.ts";
import { prune } from "../../../src/store/prune.ts";
import { bindTask, functionRunner } from "../../support/function-runner.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";

const temporary = useTemporaryDirectory();
const never = new AbortController().signal;
/** Inside the package, so that the bundle finds packages. */
const writer = join(import.meta.dirname, "../../../node_modules/.tsbuild-test/store-writer.mjs");

beforeAll(() => {
  buildSync({
    entryPoints: [join(import.meta.dirname, "../../support/store-writer.ts")],
    outfile: writer,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
});

const rootOf = (): string => join(temporary.path, "store");

interface Writer {
  readonly process: ChildProcess;
  /** What it said the store has, as kind and ID. */
  readonly told: (readonly [string, string])[];
  readonly opened: Promise<void>;
  readonly ended: Promise<void>;
}

function startWriter(name: string): Writer {
  const process = spawn(globalThis.process.execPath, [writer, rootOf(), name], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const told: (readonly [string, string])[] = [];
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const lines = createInterface({ input: process.stdout });
  lines.on("line", (line) => {
    const [kind = "", id = ""] = line.split(" ");
    if (kind === "opened") open();
    else told.push([kind, id]);
  });
  const ended = new Promise<void>((resolve) => process.on("close", () => resolve()));
  return { process, told, opened, ended };
}

/** Kills a writer some time after it began; what it told until then. */
async function runAndKill(started: Writer, afterMs: number): Promise<readonly (readonly [string, string])[]> {
  await started.opened;
  await sleep(afterMs);
  started.process.kill("SIGKILL");
  await started.ended;
  return started.told;
}

/** Reads all of a store; a single wrong byte fails the test. */
async function checkWhole(store: Store, told: readonly (readonly [string, string])[]): Promise<void> {
  const runner = functionRunner(bindTask(unpackLayerTask, unpackLayer), bindTask(compressBlockTask, compressBlock));
  const layers = openLayerStore(store, runner, { open: () => Promise.reject(new Error("offline")) }, () => {});
  const records = new CacheRecords(store.paths, (diffId) => layers.has(diffId));
  for (const hex of readdirSync(join(store.root, "blobs/sha256")))
    for await (const _ of store.blobs.read(digestFromHex(hex)));
  for (const hex of readdirSync(join(store.root, "layers"))) {
    const diffId = parseDiffId(`sha256:${hex}`);
    if (!(await layers.has(diffId))) continue;
    for await (const _ of layers.tar(diffId, never));
    await layers.directory(diffId, never);
  }
  for (const hex of readdirSync(join(store.root, "cache")))
    expect(await records.lookup(parseCacheKey(`sha256:${hex}`)), `record ${hex}`).not.toBeNull();
  for (const { platforms } of await store.images.list())
    for (const { imageId, diffIds } of platforms) {
      await store.blobs.readBytes(imageId, 1e6);
      for (const diffId of diffIds) expect(await layers.has(diffId)).toBe(true);
    }
  for (const [kind, id] of told) {
    if (kind === "layer") expect(await layers.has(parseDiffId(id)), `layer ${id}`).toBe(true);
    else if (kind === "record") expect(await records.lookup(parseCacheKey(id)), `record ${id}`).not.toBeNull();
    else if (kind === "blob" || kind === "image") await store.blobs.readBytes(id as Digest, 1e6);
    else throw new Error(`the writer said ${kind} ${id}`);
  }
}

describe("killed at any moment", () => {
  test.each([3, 17, 42, 77, 111, 160])(
    "after %i ms: what was there is there, what was not is not in the way",
    async (afterMs) => {
      const told = [
        ...(await runAndKill(startWriter("first"), afterMs)),
        ...(await runAndKill(startWriter("second"), afterMs / 2)),
      ];
      const store = await openStore(rootOf());
      await checkWhole(store, told);
      await store.close();
      expect(readdirSync(join(rootOf(), "tmp"))).toEqual([]);
    },
  );

  test("while two write and a third removes: images stay whole", async () => {
    const writers = [startWriter("first"), startWriter("second")];
    await Promise.all(writers.map(({ opened }) => opened));
    const killed = Promise.all(writers.map((started, at) => runAndKill(started, 300 + at * 100)));
    const store = await openStore(rootOf());
    let waited = 0;
    const options = { all: true, containers: false, unusedSinceMs: null, keepBytes: null };
    const plan = await prune(store, options, never, () => {
      waited += 1;
    });
    await killed;
    expect(waited).toBe(1);
    expect(plan.files.length).toBeGreaterThan(0);
    await checkWhole(store, []);
    await store.close();
  });

  test("while removing: nothing that is left leads nowhere", async () => {
    await runAndKill(startWriter("first"), 300);
    const pruner = `
      const { openStore } = await import(${JSON.stringify(bundled("src/store/open-store.ts"))});
      const { prune } = await import(${JSON.stringify(bundled("src/store/prune.ts"))});
      const store = await openStore(process.argv[1]);
      console.log("opened");
      await prune(store, { all: true, containers: false, unusedSinceMs: null, keepBytes: null }, new AbortController().signal, () => {});
    `;
    for (const afterMs of [0, 2, 5, 9]) {
      const child = spawn(process.execPath, ["--input-type=module", "-e", pruner, rootOf()], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
      await new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
      await sleep(afterMs);
      child.kill("SIGKILL");
      await ended;
      const store = await openStore(rootOf());
      await checkWhole(store, []);
      await store.close();
      expect(readdirSync(join(rootOf(), "tmp"))).toEqual([]);
    }
  });
});

/** A module of the package as a file that Node can load. */
function bundled(module: string): string {
  const outfile = join(
    import.meta.dirname,
    "../../../node_modules/.tsbuild-test",
    `${module.replaceAll("/", "-")}.mjs`,
  );
  buildSync({
    entryPoints: [join(import.meta.dirname, "../../..", module)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
  return outfile;
}

const canMount = process.geteuid?.() === 0 && spawnSync("unshare", ["-m", "true"]).status === 0;

describe("without space", () => {
  test.skipIf(!canMount)(
    `a write fails with what to do, and nothing half written stays${canMount ? "" : " (skipped: needs root and mount namespaces)"}`,
    () => {
      mkdirSync(rootOf());
      const script =
        'mount -t tmpfs -o size=3m,mode=0700 tmpfs "$1" && "$2" "$3" "$1" full; ls "$1/tmp" | wc -l; "$2" "$3" "$1" again | head -2';
      const { stdout } = spawnSync("unshare", ["-m", "sh", "-c", script, "sh", rootOf(), process.execPath, writer], {
        encoding: "utf8",
      });
      const lines = stdout.trim().split("\n");
      expect(lines[0]).toBe("opened");
      expect(lines).toContain("failed STORE_NO_SPACE");
      expect(lines.at(-2)).toBe("opened");
      expect(lines.at(-1)).toMatch(/^(layer sha256:|failed STORE_NO_SPACE)/);
    },
  );
});
