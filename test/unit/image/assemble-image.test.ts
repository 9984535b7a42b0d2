import { expect, test } from "vitest";
import { asDiffId, digestOf } from "../../../src/base/digest.ts";
import { assembleImage, type HistoryPart, type ImageParts } from "../../../src/image/assemble-image.ts";
import type { HistoryRow } from "../../../src/image/image-config.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const platform = { os: "linux", architecture: "amd64", variant: "", osVersion: "" };
const layersAt = (...times: readonly number[]): ImageParts["layers"] =>
  times.map((createdAtMs, at) => ({ diffId: asDiffId(digestOf(`layer ${at}`)), createdAtMs }));
const layer = (createdBy: string): HistoryPart => ({ kind: "layer", createdBy, comment: "buildkit.dockerfile.v0" });
const empty = (createdBy: string): HistoryPart => ({ kind: "empty", createdBy, comment: "buildkit.dockerfile.v0" });
const base = (created: string | null, emptyLayer = false): HistoryPart => ({
  kind: "base",
  row: { created, createdBy: "base", author: "a", comment: "", emptyLayer },
});
const assemble = (history: readonly HistoryPart[], layers: ImageParts["layers"], epoch: number | null = null) =>
  assembleImage({ platform, config: {}, author: "me", history, layers, epoch });
const shown = (rows: readonly HistoryRow[]): string =>
  rows
    .map((row) => `${row.emptyLayer ? "-" : "L"}${row.created === null ? "?" : Date.parse(row.created) / 1000}`)
    .join(" ");
const at = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(".000", "");

test.each<[string, HistoryPart[], ImageParts["layers"], number | null, string, number | null]>([
  ["layers have the times they were made", [layer("a"), layer("b")], layersAt(5000, 9000), null, "L5 L9", 9],
  [
    "other rows have the time of the layer before",
    [layer("a"), empty("b"), layer("c"), empty("d")],
    layersAt(5000, 9000),
    null,
    "L5 -5 L9 -9",
    9,
  ],
  [
    "rows before the first layer have its time",
    [empty("a"), empty("b"), layer("c")],
    layersAt(5000),
    null,
    "-5 -5 L5",
    5,
  ],
  [
    "a base keeps its times, rows behind it have that of the new layer",
    [base(at(1)), empty("a"), layer("b")],
    layersAt(77_000, 5000),
    null,
    "L1 -5 L5",
    5,
  ],
  [
    "without new layers rows have the time of the base",
    [base(at(1)), base(at(2), true), empty("a")],
    layersAt(77_000),
    null,
    "L1 -2 -2",
    2,
  ],
  ["without any layer there is no time", [empty("a")], [], null, "-?", null],
  ["a layer may be older than the one below", [layer("a"), layer("b")], layersAt(9000, 5000), null, "L9 L5", 5],
  [
    "the epoch is the time of every new row",
    [base(at(50)), layer("a"), empty("b"), layer("c")],
    layersAt(0, 20_000, 5000),
    10,
    "L50 L10 -10 L10",
    10,
  ],
  ["the epoch is the time of rows that have none", [empty("a")], [], 10, "-10", 10],
  ["the epoch is the time of new rows on a younger base", [base(at(50)), empty("a")], layersAt(0), 10, "L50 -10", 10],
  ["the epoch is the time of new rows on an older base", [base(at(5)), empty("a")], layersAt(0), 10, "L5 -10", 10],
  ["a base without times keeps none", [base(null), layer("a")], layersAt(0, 5000), null, "L? L5", 5],
  ["missing rows of a base are added", [layer("a")], layersAt(1000, 2000, 5000), null, "L? L? L5", 5],
  [
    "rows of a base that have no layer lose it",
    [base(at(1)), base(at(2)), layer("a")],
    layersAt(0, 5000),
    null,
    "L1 -2 L5",
    5,
  ],
])("%s", (_name, history, layers, epoch, rows, created) => {
  const image = assemble(history, layers, epoch);
  expect(shown(image.history)).toBe(rows);
  expect(image.created).toBe(created === null ? null : at(created));
  expect(image.diffIds).toEqual(layers.map((one) => one.diffId));
  expect(image.history.filter((row) => !row.emptyLayer)).toHaveLength(layers.length);
});

test("rows keep their texts, the image its author", () => {
  const image = assemble([base(at(1)), layer("RUN x # buildkit")], layersAt(0, 5000));
  expect(image.author).toBe("me");
  expect(image.history[0]).toMatchObject({ createdBy: "base", author: "a", comment: "" });
  expect(image.history[1]).toEqual({
    created: at(5),
    createdBy: "RUN x # buildkit",
    author: "",
    comment: "buildkit.dockerfile.v0",
    emptyLayer: false,
  });
});

test("more rows with a layer than layers are a bug", () => {
  expect(thrownBy(() => assemble([layer("a"), layer("b")], layersAt(1000))).code).toBe("INTERNAL");
});
