import { join } from "node:path";
import { checkOutGit, resolveGitRef } from "../context/git-checkout.ts";
import { packDirectory } from "./pack-directory.ts";
import { addLayer, type StepContext } from "./step-context.ts";
import { gitKey } from "./step-key.ts";
import { readsNothing, type SpecOf, type Step } from "./step-op.ts";

/** ADD of a git repository: a layer with the checkout, for a COPY to read from. What a ref means is asked every time. */
export function gitStep(spec: SpecOf<"git">, context: StepContext): Step {
  const source = { remote: spec.url, ref: spec.ref, checksum: spec.checksum };
  let resolving: ReturnType<typeof resolveGitRef> | null = null;
  const resolve = (signal: AbortSignal): ReturnType<typeof resolveGitRef> => {
    resolving ??= resolveGitRef(source, signal);
    return resolving;
  };
  return {
    ...readsNothing,
    parents: [],
    key: async (_parents, _reads, signal) => gitKey(spec, (await resolve(signal)).commit),
    async run(_inputs, signal) {
      const workDirectory = await context.layers.makeTemporary();
      const { subdir, keepGitDir, submodules } = spec;
      const resolved = await resolve(signal);
      const directory = join(workDirectory, "checkout");
      const root = await checkOutGit({ source, resolved, subdir, keepGitDir, submodules, directory }, signal);
      const nowMs = context.nowMs();
      return addLayer(null, await packDirectory(root, workDirectory, nowMs, context, signal), nowMs);
    },
  };
}
