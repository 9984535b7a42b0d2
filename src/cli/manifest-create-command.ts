import { BuildError } from "../base/errors.ts";
import { createIndex } from "../engine/create-index.ts";
import { withImageWorkshop } from "../engine/image-workshop.ts";
import { openRegistry } from "../engine/open-registry.ts";
import type { Platform } from "../image/platform.ts";
import { parseReference } from "../image/reference.ts";
import { parsePlatformFlag } from "./build-command.ts";
import { parseAnnotations } from "./build-flags.ts";
import type { ManifestCreateOptions } from "./registry-commands.ts";
import { registryEnvironment } from "./registry-environment.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild manifest create`: an index in the store; its digest on stdout. */
export async function runManifestCreate(
  name: string,
  sources: readonly string[],
  options: ManifestCreateOptions,
): Promise<void> {
  const platforms = parseSourcePlatforms(options.platform, sources);
  const annotations = parseAnnotations(options.annotation.map(withPlace));
  const wrong = annotations.find(({ level }) => level !== "index" && level !== "manifest-descriptor");
  if (wrong !== undefined)
    throw new BuildError(
      "USAGE_INVALID",
      `--annotation ${wrong.level}:${wrong.key}: want index or manifest-descriptor`,
      {
        hint: "manifests keep their digests, so nothing can be written into them",
      },
    );
  if (parseReference(name).digest !== null)
    throw new BuildError("REFERENCE_INVALID", `index ${JSON.stringify(name)}: a digest cannot be given to it`);
  const settings = { root: storeRoot(options.root), environment: registryEnvironment(options) };
  const digest = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, (workshop) => {
      const given = sources.map((source) => ({ name: source, platform: platforms.get(source) ?? null }));
      return createIndex(name, given, annotations, workshop, () => openRegistry(settings.environment), signal);
    }),
  );
  process.stdout.write(`${digest}\n`);
}

/** An annotation without a place is one of the index. */
const withPlace = (text: string): string => (/^[a-z-]+(\[[^\]]*\])?:/.test(text) ? text : `index:${text}`);

/** `source=os/arch`, where the source is one of those that are named. */
function parseSourcePlatforms(values: readonly string[], sources: readonly string[]): ReadonlyMap<string, Platform> {
  return new Map(
    values.map((value) => {
      const at = value.lastIndexOf("=");
      const source = value.slice(0, Math.max(at, 0));
      if (!sources.includes(source))
        throw new BuildError("USAGE_INVALID", `--platform ${JSON.stringify(value)}: want SOURCE=OS/ARCH`, {
          hint: `sources: ${sources.join(", ")}`,
        });
      return [source, parsePlatformFlag(value.slice(at + 1))];
    }),
  );
}
