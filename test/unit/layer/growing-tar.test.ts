import { appendFileSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { GrowingTar } from "../../../src/layer/growing-tar.ts";
import { file, makeLayer } from "../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf } from "../../support/thrown-by.ts";

const temporary = useTemporaryDirectory();
const never = new AbortController().signal;
const growing = (): string => join(temporary.path, "tar");

function layer(): { readonly bytes: Buffer; readonly packed: Parameters<GrowingTar["end"]>[0] } {
  const made = makeLayer(join(temporary.path, "layer"), [file("f", Buffer.alloc(1_500_000, "content"))]);
  const bytes = readFileSync(made.tarFile as string);
  return { bytes, packed: { diffId: made.diffId, sizeBytes: bytes.length } };
}

async function readAll(tar: GrowingTar, signal = never): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of tar.chunks(signal)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

test("what is written comes, and the file goes on being read where it is moved to", async () => {
  const { bytes, packed } = layer();
  const tar = new GrowingTar(growing());
  const chunks = tar.chunks(never);
  const first = chunks.next();
  writeFileSync(growing(), bytes.subarray(0, 700));
  const got: Buffer[] = [Buffer.from((await first).value as Buffer)];
  expect(got[0]?.length).toBeGreaterThan(0);
  appendFileSync(growing(), bytes.subarray(700));
  renameSync(growing(), join(temporary.path, "moved"));
  tar.end(packed);
  for await (const chunk of chunks) got.push(Buffer.from(chunk));
  expect(Buffer.concat(got).equals(bytes)).toBe(true);
});

test("bytes that are not the diffID are told behind the last one", async () => {
  const { bytes, packed } = layer();
  bytes[600] = 1;
  writeFileSync(growing(), bytes);
  const tar = new GrowingTar(growing());
  tar.end(packed);
  expect(await rejectionOf(readAll(tar))).toMatchObject({ code: "BLOB_DIGEST_MISMATCH" });
});

test.each<[string, (tar: GrowingTar, controller: AbortController) => void]>([
  ["it is abandoned", (tar) => tar.abandon()],
  ["the build is cancelled", (_tar, controller) => controller.abort()],
  ["it ended and is nowhere to be found", (tar) => tar.end(layer().packed)],
])("reading ends when %s", async (_name, stop) => {
  const tar = new GrowingTar(growing());
  const controller = new AbortController();
  const reading = rejectionOf(readAll(tar, controller.signal));
  stop(tar, controller);
  expect(await reading).toMatchObject({ code: "BUILD_CANCELLED" });
});
