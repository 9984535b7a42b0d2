import { formatPlatform } from "../image/platform.ts";
import { familiarReference, parseReference } from "../image/reference.ts";
import type { StoredImage, StoredPlatformImage } from "../store/image-store.ts";
import type { Store } from "../store/open-store.ts";
import { chooseImage, choosePlatform } from "./choose-images.ts";
import type { InspectOptions } from "./image-commands.ts";
import { LayerSizes, repositoryOf } from "./image-rows.ts";
import { parseTemplate } from "./template/parse-template.ts";
import { jsonOfValue, prettyJsonOfValue } from "./template/print-value.ts";
import { renderTemplate } from "./template/render-template.ts";
import { structOf, type TemplateStruct, type TemplateValue, valueOfJson } from "./template/template-value.ts";
import { withStore } from "./with-store.ts";
import { writeText } from "./write-lines.ts";

/** Members of a config that an image need not have; templates may ask for them all the same. */
const emptyConfig: Readonly<Record<string, TemplateValue>> = {
  User: "",
  ExposedPorts: new Map(),
  Env: [],
  Entrypoint: [],
  Cmd: [],
  Volumes: new Map(),
  WorkingDir: "",
  Labels: new Map(),
  StopSignal: "",
  ArgsEscaped: false,
  Healthcheck: null,
  OnBuild: [],
  Shell: [],
};

/**
 * `tsbuild inspect`: an array with an object for each image and platform, with the names docker gives the fields; or a line
 * of a template for each. What was found is printed also when another image is not there.
 */
export async function runInspect(names: readonly string[], options: InspectOptions): Promise<void> {
  const print = printerOf(options.format);
  const { found, failures } = await withStore(options, async (store) => {
    const all = await store.images.list();
    const described = await Promise.allSettled(names.map((name) => describeImage(store, all, name, options.platform)));
    return {
      found: described.flatMap((result) => (result.status === "fulfilled" ? result.value : [])),
      failures: described.flatMap((result) => (result.status === "rejected" ? [result.reason] : [])),
    };
  });
  writeText(print(found));
  if (failures.length > 0) throw failures[0];
}

function printerOf(format: string | undefined): (images: readonly TemplateStruct[]) => string {
  if (format === undefined) return (images) => `${prettyJsonOfValue(images)}\n`;
  if (format.trim() === "json") return (images) => images.map((image) => `${jsonOfValue(image)}\n`).join("");
  const nodes = parseTemplate(format);
  return (images) => images.map((image) => `${renderTemplate(nodes, format, image)}\n`).join("");
}

async function describeImage(
  store: Store,
  all: readonly StoredImage[],
  name: string,
  wanted: string | undefined,
): Promise<readonly TemplateStruct[]> {
  const { image } = await chooseImage(store, name);
  const platforms = wanted === undefined ? image.platforms : [choosePlatform(image, wanted)];
  return Promise.all(platforms.map((platform) => describePlatform(store, all, image, platform)));
}

async function describePlatform(
  store: Store,
  all: readonly StoredImage[],
  image: StoredImage,
  { platform, imageId, diffIds, annotations }: StoredPlatformImage,
): Promise<TemplateStruct> {
  const config = JSON.parse(Buffer.from(await store.blobs.readBytes(imageId, 4 << 20)).toString("utf8"));
  const named = all.filter((other) => other.platforms.some((one) => one.imageId === imageId));
  const comment = (config.history ?? []).at(-1)?.comment;
  return structOf(
    {
      Id: imageId,
      RepoTags: named.map(({ reference }) => familiarReference(parseReference(reference))),
      RepoDigests: digestsOf(named),
      Parent: "",
      Comment: typeof comment === "string" ? comment : "",
      Created: valueOfJson(config.created ?? ""),
      Author: valueOfJson(config.author ?? ""),
      Config: configStruct(config.config ?? {}),
      Architecture: valueOfJson(config.architecture ?? ""),
      ...(config.variant === undefined ? {} : { Variant: valueOfJson(config.variant) }),
      Os: valueOfJson(config.os ?? ""),
      ...(config["os.version"] === undefined ? {} : { OsVersion: valueOfJson(config["os.version"]) }),
      Platform: formatPlatform(platform),
      Size: await new LayerSizes(store).sum(diffIds),
      RootFS: structOf({ Type: "layers", Layers: diffIds }),
      Metadata: structOf({ LastTagTime: new Date(image.createdAtMs).toISOString() }),
      Annotations: annotations,
    },
    { Variant: "", OsVersion: "" },
  );
}

/** `ns/app@sha256:…` for every digest an image is known by. */
function digestsOf(images: readonly StoredImage[]): readonly string[] {
  const digests = images.flatMap(({ reference, manifests }) => {
    const repository = repositoryOf(parseReference(reference));
    return manifests.map((digest) => `${repository}@${digest}`);
  });
  return [...new Set(digests)];
}

function configStruct(config: Readonly<Record<string, unknown>>): TemplateStruct {
  const given = Object.entries(config).filter(([, value]) => value !== null);
  const fields = Object.fromEntries(given.map(([name, value]) => [name, valueOfJson(value)]));
  const absent = Object.entries(emptyConfig).filter(([name]) => !Object.hasOwn(fields, name));
  return structOf(fields, Object.fromEntries(absent));
}
