import fc from "fast-check";
import { expect, test } from "vitest";
import { isBuildError } from "../../../src/base/errors.ts";
import type { BuildGraph } from "../../../src/plan/build-graph.ts";
import { inputsOf } from "../../../src/plan/graph-builder.ts";
import { FakePlanSources } from "./fake-plan-sources.ts";
import { planText } from "./plan-input-fixture.ts";

const name = fc.constantFrom("a", "b", "c");
const value = fc.constantFrom("1", "$A", `\${B:-x}`, `\${C}`, "'$A'", '"$B c"', "\\$A", `\${A#1}`, `\${D?}`, "$");
const line = fc.oneof(
  fc.tuple(name, value).map(([key, text]) => `ENV ${key.toUpperCase()}=${text}`),
  fc.tuple(name, value).map(([key, text]) => `ARG ${key.toUpperCase()}=${text}`),
  name.map((key) => `ARG ${key.toUpperCase()}`),
  value.map((text) => `LABEL l=${text}`),
  value.map((text) => `WORKDIR ${text}`),
  value.map((text) => `USER ${text}`),
  value.map((text) => `RUN echo ${text}`),
  fc.tuple(name, value).map(([from, text]) => `RUN --mount=from=${from},target=/m${text} x`),
  value.map((text) => `COPY ${text} /x/`),
  fc
    .tuple(fc.constantFrom("busybox", "busybox", "a", "b", "c"), fc.boolean())
    .map(([from, link]) => `COPY --from=${from}${link ? " --link" : ""} /x /`),
  fc.nat(1).map((index) => `COPY --from=${index} /x /`),
  value.map((text) => `ADD https://h/${text} /`),
  value.map((text) => `COPY <<E /x\n${text}\nE`),
  fc.constantFrom("CMD x", 'ENTRYPOINT ["e"]', "EXPOSE 80", "ONBUILD RUN x", "ONBUILD COPY --from=a /x /", "VOLUME /v"),
);
const stage = fc
  .tuple(
    fc.constantFrom("scratch", "busybox", "busybox", "a", "b", "c", `\${A:-busybox}`),
    fc.option(name),
    fc.array(line, { maxLength: 8 }),
  )
  .map(([base, as, lines]) => [`FROM ${base}${as === null ? "" : ` AS ${as}`}`, ...lines].join("\n"));
const dockerfile = fc
  .tuple(fc.constantFrom("", "ARG A=busybox\n", "ARG A=b\nARG B=$A\n"), fc.array(stage, { minLength: 1, maxLength: 5 }))
  .map(([globals, stages]) => globals + stages.join("\n"));

/** The stage names are images as well, so that most of what is copied from exists. */
function world(): FakePlanSources {
  const sources = new FakePlanSources();
  for (const image of ["a:latest", "b:latest", "c:latest"]) sources.images.set(image, {});
  return sources;
}

function expectSound(graph: BuildGraph): void {
  const known = new Set<string>();
  for (const { id, spec } of graph.vertices) {
    expect(inputsOf(spec).filter((input) => !known.has(input))).toEqual([]);
    known.add(id);
  }
  expect(known.size).toBe(graph.vertices.length);
  for (const { rootfs, history } of graph.images) {
    const named = history.flatMap((row) => (row.kind === "layer" ? [row.vertex] : []));
    expect([...named, ...(rootfs === null ? [] : [rootfs])].filter((id) => !known.has(id))).toEqual([]);
  }
}

test("any Dockerfile is planned soundly and always the same, or refused with its place", async () => {
  await fc.assert(
    fc.asyncProperty(dockerfile, async (text) => {
      try {
        const graph = await planText(text, {}, world());
        expectSound(graph);
        expect(await planText(text, {}, world())).toEqual(graph);
      } catch (error) {
        if (!isBuildError(error)) throw error;
        expect(error.location, `${text}\n${error.message}`).toBeDefined();
        expect(error.code).not.toBe("INTERNAL");
      }
    }),
    { numRuns: 500 },
  );
});
