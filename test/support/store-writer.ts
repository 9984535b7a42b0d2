// A process that fills a store until it is killed, and tells of each thing when the store has it. Started by tests.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CacheKey, digestOf, parseCacheKey } from "../../src/base/digest.ts";
import { isBuildError } from "../../src/base/errors.ts";
import { compressBlock, compressBlockTask } from "../../src/layer/compress-block.ts";
import { readerOf } from "../../src/layer/file-readers.ts";
import { openLayerWriter, type PackedLayer } from "../../src/layer/layer-writer.ts";
import { unpackLayer, unpackLayerTask } from "../../src/layer/unpack-layer.ts";
import { CacheRecords } from "../../src/store/cache-records.ts";
import { openLayerStore } from "../../src/store/open-layer-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import { bindTask, functionRunner } from "./function-runner.ts";
import { file } from "./layer-builder.ts";

const [root = "", name = ""] = process.argv.slice(2);
const tell = (line: string): void => writeFileSync(1, `${line}\n`);

async function fill(): Promise<void> {
  const store = await openStore(root);
  const runner = functionRunner(bindTask(unpackLayerTask, unpackLayer), bindTask(compressBlockTask, compressBlock));
  const nothing = { open: () => Promise.reject(new Error("nothing is remote")) };
  const layers = openLayerStore(store, runner, nothing, () => {});
  const records = new CacheRecords(store.paths, (diffId) => layers.has(diffId));
  const signal = new AbortController().signal;
  tell("opened");

  async function makeLayer(content: string, form: "tar" | "dir"): Promise<PackedLayer> {
    const temporary = await layers.makeTemporary();
    const item = file("f", content);
    const writer = openLayerWriter(temporary, { keepTar: form === "tar" });
    writer.add(item.row, readerOf(item.content ?? Buffer.alloc(0)));
    const layer = writer.finish();
    if (form === "tar") {
      await layers.commitTar(temporary, layer);
    } else {
      mkdirSync(join(temporary, "dir"));
      writeFileSync(join(temporary, "dir", "f"), content);
      await layers.commitDirectory(temporary, layer);
    }
    return layer;
  }

  for (let at = 0; ; at += 1) {
    const content = `${name} ${at} ${"x".repeat((at % 7) * 40_000)}`;
    const { diffId } = await makeLayer(content, at % 2 === 0 ? "tar" : "dir");
    tell(`layer ${diffId}`);
    if (at % 3 === 0) await layers.directory(diffId, signal);
    if (at % 4 === 0) await layers.blob(diffId, { compression: "gzip", level: 1 }, signal);
    const key: CacheKey = parseCacheKey(digestOf(content));
    await records.save({
      key,
      layers: [{ diffId, createdAtMs: at }],
      createdAtMs: at,
      description: content.slice(0, 20),
      inputs: at,
    });
    tell(`record ${key}`);
    const imageId = await store.blobs.putBytes(Buffer.from(`config ${content}`));
    tell(`blob ${imageId}`);
    const platform = { os: "linux", architecture: "amd64", variant: "", osVersion: "" };
    const image = { platform, imageId, diffIds: [diffId], annotations: new Map() };
    await store.images.tag(`docker.io/${name}:latest`, { platforms: [image], createdAtMs: at, manifests: [] });
    tell(`image ${imageId}`);
  }
}

fill().catch((error: unknown) => {
  tell(`failed ${isBuildError(error) ? error.code : String(error)}`);
  process.exitCode = 1;
});
