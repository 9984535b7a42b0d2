import { describe, expect, test } from "vitest";
import { requestOf } from "../../support/build-request.ts";

const outputsOf = async (...args: readonly string[]) =>
  (await requestOf(["build", ...args, "."])).outputs.map((output) =>
    output.kind === "image" ? { kind: output.kind, push: output.push, store: output.store } : { kind: output.kind },
  );

describe("--push", () => {
  test.each([
    ["alone stores and pushes", [], [{ kind: "image", push: true, store: true }]],
    [
      "pushes the image another flag describes",
      ["-o", "type=image,store=false"],
      [{ kind: "image", push: true, store: false }],
    ],
    [
      "is an output besides others",
      ["-o", "type=oci,dest=x.tar"],
      [{ kind: "oci" }, { kind: "image", push: true, store: true }],
    ],
  ] as const)("%s", async (_, args, outputs) => {
    expect(await outputsOf("--push", ...args)).toEqual(outputs);
  });

  test("is needed: nothing is pushed without it", async () => {
    expect(await outputsOf()).toEqual([{ kind: "image", push: false, store: true }]);
  });
});
