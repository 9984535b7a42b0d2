import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { DirectorySpec, LayersSpec } from "../../../../src/context/tree-spec.ts";
import { readLayerIndex } from "../../../../src/layer/layer-index.ts";
import type { LayerLocation } from "../../../../src/layer/layer-location.ts";
import { type PackedAction, packCopy } from "../../../../src/steps/copy/pack-copy.ts";
import { packWorkdir } from "../../../../src/steps/workdir.ts";
import { makeLayer } from "../../../support/layer-builder.ts";
import { useTemporaryDirectory } from "../../../support/temporary-directory.ts";
import {
  baseImage,
  type CopyFixture,
  copyFixtures,
  type FixtureStep,
  goldenEntry,
  layerItems,
  nowSeconds,
  writeContext,
} from "./copy-fixture.ts";

const temporary = useTemporaryDirectory();

/** The trees of a case, made below the temporary directory. */
function prepare(fixture: CopyFixture) {
  const root = temporary.path;
  writeContext(join(root, "context"), fixture.context);
  const context: DirectorySpec = {
    kind: "directory",
    root: join(root, "context"),
    ignore: fixture.ignore ?? [],
    ignoreFile: fixture.ignore === undefined ? null : ".dockerignore",
    statCache: null,
  };
  const base = makeLayer(join(root, "base"), layerItems(baseImage));
  const stack = (name: string, entries: Parameters<typeof layerItems>[0]): readonly LayerLocation[] => [
    base,
    makeLayer(join(root, name), layerItems(entries)),
  ];
  const stages = new Map(
    Object.entries(fixture.stages ?? {}).map(([name, entries]): [string, LayersSpec] => {
      return [name, { kind: "layers", layers: stack(`stage-${name}`, entries) }];
    }),
  );
  const parent = fixture.parent === "scratch" ? [] : stack("parent", fixture.parentEntries ?? []);
  return { context, stages, parent };
}

async function pack(
  step: FixtureStep,
  trees: ReturnType<typeof prepare>,
  layers: readonly LayerLocation[],
  place: string,
) {
  const workDirectory = join(temporary.path, place);
  mkdirSync(workDirectory);
  const parent: LayersSpec | null = layers.length === 0 || step.link ? null : { kind: "layers", layers };
  if (step.workdir !== undefined) {
    const { layer } = packWorkdir({
      parent,
      path: step.workdir,
      user: step.user ?? "",
      epoch: null,
      nowSeconds,
      workDirectory,
    });
    return { layer, workDirectory };
  }
  const { destination, chown, chmod } = step;
  const tree = step.from === undefined ? trees.context : trees.stages.get(step.from);
  if (tree === undefined) throw new Error(`no stage ${step.from}`);
  const { paths, parents, excludes, unpack } = step;
  const actions: PackedAction[] = [
    { kind: "paths", tree, paths, destination, chown, chmod, parents, excludes, unpack },
    ...(step.inline ?? []).map((inline) => ({ kind: "inline" as const, ...inline, destination, chown, chmod })),
  ];
  const { layer } = await packCopy({ actions, parent, workDirectory, nowSeconds });
  return { layer, workDirectory };
}

describe("packCopy and packWorkdir make the layers BuildKit makes", () => {
  test.each(copyFixtures)("%s", async (_, fixture) => {
    const trees = prepare(fixture);
    let layers = trees.parent;
    for (const [at, step] of fixture.steps.entries()) {
      if (step.error !== undefined) {
        const packing = pack(step, trees, layers, `step-${at}`);
        await expect(packing).rejects.toMatchObject({ code: step.error });
        return;
      }
      const { layer, workDirectory } = await pack(step, trees, layers, `step-${at}`);
      const indexFile = join(workDirectory, "index");
      const rows = [...readLayerIndex(indexFile)];
      expect(Object.fromEntries(rows.map((row) => [row.path, goldenEntry(row)]))).toEqual(step.layer);
      const location = { diffId: layer.diffId, indexFile, tarFile: join(workDirectory, "tar"), directory: null };
      layers = [...layers, location];
    }
  });
});
