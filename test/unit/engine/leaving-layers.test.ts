import { expect, test } from "vitest";
import type { BuildRequest } from "../../../src/engine/build-request.ts";
import { leavingLayers } from "../../../src/engine/leaving-layers.ts";
import { parseOutputFlag } from "../../../src/output/parse-output-flag.ts";
import type { BuildGraph } from "../../../src/plan/build-graph.ts";

/** A stage v0, v1; another one from v2 on, which copies from it: v3 by COPY, v5 by COPY --link of what v4 makes. */
const graph = {
  vertices: [
    { id: "v0", spec: { kind: "image" } },
    { id: "v1", spec: { kind: "copy", parent: "v0" } },
    { id: "v2", spec: { kind: "image" } },
    { id: "v3", spec: { kind: "copy", parent: "v2" } },
    { id: "v4", spec: { kind: "copy", parent: null } },
    { id: "v5", spec: { kind: "merge", parent: "v3", layer: "v4" } },
  ],
  images: [{ rootfs: "v5" }],
} as unknown as BuildGraph;

const requestFor = (outputs: readonly string[], squash: "all" | null = null): BuildRequest =>
  ({ outputs: outputs.map((output) => parseOutputFlag(output)), squash }) as unknown as BuildRequest;

test.each<[string, readonly string[], "gzip" | "zstd"]>([
  ["an OCI archive", ["type=oci,dest=a.tar"], "gzip"],
  ["a push", ["type=registry"], "gzip"],
  ["a docker archive that is to be compressed", ["type=docker,dest=a.tar,compression=zstd"], "zstd"],
  ["the first output that compresses", ["type=docker,dest=a.tar", "type=oci,dest=b,compression=zstd"], "zstd"],
])("the layers of the image leave, and those of other stages do not: %s", (_name, outputs, compression) => {
  const leaving = leavingLayers(graph, requestFor(outputs));
  expect([...(leaving?.vertices ?? [])].sort()).toEqual(["v2", "v3", "v4", "v5"]);
  expect(leaving?.format.compression).toBe(compression);
});

test.each<[string, BuildRequest]>([
  ["the image stays in the store", requestFor([])],
  ["nothing is compressed", requestFor(["type=docker,dest=a.tar"])],
  ["the output is no image", requestFor(["type=tar,dest=a.tar"])],
  ["files get other times on the way", requestFor(["type=oci,dest=a.tar,rewrite-timestamp=true"])],
  ["layers are merged", requestFor(["type=oci,dest=a.tar"], "all")],
])("no layer leaves as it was made when %s", (_name, request) => {
  expect(leavingLayers(graph, request)).toBeNull();
});
