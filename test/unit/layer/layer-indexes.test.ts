import { renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LayerIndexes } from "../../../src/layer/layer-indexes.ts";
import { file, makeLayer } from "../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const temporary = useTemporaryDirectory();
const plenty = 1 << 20;
const sizeOf = (path: string): number => statSync(path).size;

/** Index files of one size, each of a layer with the file of that name. */
const indexFilesOf = (...names: readonly string[]): readonly string[] =>
  names.map((name) => makeLayer(join(temporary.path, name), [file(name, "content")]).indexFile);

test("an index that was opened is not read again", () => {
  const [one = ""] = indexFilesOf("a");
  const indexes = new LayerIndexes(plenty);
  expect(indexes.read(one)).toBe(indexes.read(one));
});

test("a file that took the place of another one is read", () => {
  const [one = "", other = ""] = indexFilesOf("a", "b");
  const indexes = new LayerIndexes(plenty);
  expect(indexes.read(one).lookup("a")?.path).toBe("a");
  renameSync(other, one);
  expect(indexes.read(one).lookup("b")?.path).toBe("b");
});

test("those used last stay, up to the limit", () => {
  const [one = "", two = "", three = ""] = indexFilesOf("a", "b", "c");
  const indexes = new LayerIndexes(2 * sizeOf(one));
  const [first, second] = [indexes.read(one), indexes.read(two)];
  expect(indexes.read(one)).toBe(first);
  indexes.read(three);
  expect(indexes.read(one)).toBe(first);
  expect(indexes.read(two)).not.toBe(second);
});

test("one that is larger than the limit is opened each time and takes no other one's place", () => {
  const small = indexFilesOf("a")[0] ?? "";
  const large = makeLayer(join(temporary.path, "large"), [file("b".repeat(200), "x"), file("c", "y")]).indexFile;
  const indexes = new LayerIndexes(sizeOf(small));
  const kept = indexes.read(small);
  expect(indexes.read(large)).not.toBe(indexes.read(large));
  expect(indexes.read(small)).toBe(kept);
});

test("what is not there, or no longer, is an error", () => {
  const indexes = new LayerIndexes(plenty);
  const [one = ""] = indexFilesOf("a");
  indexes.read(one);
  renameSync(one, join(temporary.path, "gone"));
  expect(thrownBy(() => indexes.read(one))).toMatchObject({ code: "LAYER_NOT_FOUND" });
});
