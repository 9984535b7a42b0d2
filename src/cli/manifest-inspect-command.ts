import { findManifest } from "../engine/find-manifest.ts";
import { withImageWorkshop } from "../engine/image-workshop.ts";
import { openRegistry } from "../engine/open-registry.ts";
import type { Descriptor } from "../image/descriptor.ts";
import { formatPlatform } from "../image/platform.ts";
import { formatReference, parseReference } from "../image/reference.ts";
import type { FetchedManifest } from "../registry/registry-client.ts";
import { formatTable } from "./format-table.ts";
import type { ManifestInspectOptions } from "./registry-commands.ts";
import { registryEnvironment } from "./registry-environment.ts";
import { storeRoot } from "./store-root.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild manifest inspect`: the manifest as a table, or its bytes. */
export async function runManifestInspect(name: string, options: ManifestInspectOptions): Promise<void> {
  const settings = { root: storeRoot(options.root), environment: registryEnvironment(options) };
  const found = await withInterrupt((signal) =>
    withImageWorkshop(settings, signal, (workshop) => {
      const openClient = () => openRegistry(settings.environment);
      return findManifest(name, options.remote === true, workshop, openClient, signal);
    }),
  );
  process.stdout.write(options.raw === true ? found.bytes : describe(name, found));
}

function describe(name: string, { descriptor, root }: FetchedManifest): string {
  const facts = [
    ["Name:", formatReference(parseReference(name))],
    ["MediaType:", descriptor.mediaType],
    ["Digest:", descriptor.digest],
    ["Size:", String(descriptor.size)],
  ];
  const head = facts.map(([title = "", value]) => `${title.padEnd(11)}${value}\n`).join("");
  const content =
    root.kind === "index"
      ? formatTable(["PLATFORM", "DIGEST", "SIZE", "MEDIA TYPE"], root.index.manifests.map(entryRow))
      : formatTable(
          ["PART", "DIGEST", "SIZE", "MEDIA TYPE"],
          [
            row("config", root.manifest.config),
            ...root.manifest.layers.map((layer, at) => row(`layer ${at + 1}`, layer)),
          ],
        );
  const annotations = [...(root.kind === "index" ? root.index : root.manifest).annotations];
  const notes = annotations.length === 0 ? "" : `\n${formatTable(["ANNOTATION", "VALUE"], annotations)}`;
  return `${head}\n${content}${notes}`;
}

const row = (title: string, { digest, size, mediaType }: Descriptor): readonly string[] => [
  title,
  digest,
  String(size),
  mediaType,
];

function entryRow(entry: Descriptor): readonly string[] {
  const kind = entry.annotations?.["vnd.docker.reference.type"];
  const platform = entry.platform === undefined ? "-" : formatPlatform(entry.platform);
  return row(kind === undefined ? platform : kind, entry);
}
