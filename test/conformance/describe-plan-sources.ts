import { describe, expect, test } from "vitest";
import type { Platform } from "../../src/image/platform.ts";
import type { PlanSources } from "../../src/plan/plan-input.ts";

/** What a test world must hold: names that are known and names that are not. */
export interface PlanWorld {
  readonly sources: PlanSources;
  /** An image that exists, as a Dockerfile names it, and its canonical name. */
  readonly image: { readonly name: string; readonly canonical: string };
  readonly missingImage: string;
  /** A named context that is a directory. */
  readonly treeContext: string;
}

const platform: Platform = { os: "linux", architecture: "amd64", variant: "", osVersion: "" };

/** What planning relies on in the outside world it asks. */
export function describePlanSources(name: string, make: () => Promise<PlanWorld>): void {
  const { signal } = new AbortController();
  describe(`${name}: plan sources`, () => {
    test("an image comes with its canonical name, a pinned manifest and its config", async () => {
      const { sources, image } = await make();
      const resolved = await sources.resolveImage(image.name, platform, null, signal);
      expect(resolved.reference).toBe(image.canonical);
      expect(resolved.manifest).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(resolved.hasLayers).toBe(resolved.config.diffIds.length > 0);
    });

    test("an image asked for twice is the same", async () => {
      const { sources, image } = await make();
      const [first, second] = await Promise.all([
        sources.resolveImage(image.name, platform, null, signal),
        sources.resolveImage(image.canonical, platform, null, signal),
      ]);
      expect(second).toEqual(first);
    });

    test("an image that does not exist is SOURCE_NOT_FOUND", async () => {
      const { sources, missingImage } = await make();
      const resolved = sources.resolveImage(missingImage, platform, null, signal);
      await expect(resolved).rejects.toMatchObject({ code: "SOURCE_NOT_FOUND" });
    });

    test("a name that is no reference is REFERENCE_INVALID", async () => {
      const { sources } = await make();
      const resolved = (async () => sources.resolveImage("Not A Name", platform, null, signal))();
      await expect(resolved).rejects.toMatchObject({ code: "REFERENCE_INVALID" });
    });

    test("a directory is a tree under its own name", async () => {
      const { sources, treeContext } = await make();
      expect(await sources.namedContext(treeContext, platform, signal)).toEqual({ kind: "tree", context: treeContext });
    });

    test("a context's time is whole seconds or nothing", async () => {
      const { sources, treeContext } = await make();
      const seconds = await sources.sourceEpoch({ kind: "context", context: treeContext }, signal);
      expect(seconds === null || Number.isSafeInteger(seconds)).toBe(true);
    });
  });
}
