import { BuildError, isBuildError } from "../base/errors.ts";
import { hasWildcard, parseGoPattern } from "../context/go-match.ts";
import { familiarReference, formatReference, parseReference } from "../image/reference.ts";
import type { Store } from "../store/open-store.ts";
import { chooseImage } from "./choose-images.ts";
import { createdAtMsOf, type ImageRow, readConfig, repositoryOf } from "./image-rows.ts";
import { parseMoment } from "./parse-moment.ts";

export type ImageFilter = (row: ImageRow) => boolean;

const filterNames = ["dangling", "label", "before", "since", "until", "reference"] as const;

/**
 * Reads `--filter name=value` flags: a row must fit all, of several references one. Throws USAGE_INVALID, and
 * IMAGE_NOT_FOUND for an image of `before` and `since` that is not there.
 */
export async function parseImageFilters(
  flags: readonly string[],
  store: Store,
  nowMs: number,
): Promise<(row: ImageRow) => boolean> {
  const pairs = flags.map(parseFilter);
  const valuesOf = (name: (typeof filterNames)[number]): readonly string[] =>
    pairs.filter((pair) => pair.name === name).map(({ value }) => value);
  const bounds = async (name: "before" | "since"): Promise<readonly number[]> =>
    Promise.all(valuesOf(name).map((image) => creationOf(store, image)));
  const [before, since] = [await bounds("before"), await bounds("since")];
  const until = valuesOf("until").map((text) => parseMoment(text, "filter until", nowMs));
  const references = valuesOf("reference").map(referenceFilter);
  const filters: readonly ImageFilter[] = [
    ...valuesOf("dangling").map(danglingFilter),
    ...valuesOf("label").map(labelFilter),
    ...[...before, ...until].map(
      (atMs): ImageFilter =>
        (row) =>
          (row.createdAtMs ?? 0) < atMs,
    ),
    ...since.map(
      (atMs): ImageFilter =>
        (row) =>
          (row.createdAtMs ?? 0) > atMs,
    ),
    ...(references.length === 0 ? [] : [(row: ImageRow) => references.some((fits) => fits(row))]),
  ];
  return (row) => filters.every((fits) => fits(row));
}

/** Throws USAGE_INVALID for what is not `name=value`, and for names that are not known. */
function parseFilter(flag: string): { readonly name: string; readonly value: string } {
  const [name = ""] = flag.split("=", 1);
  const isKnown = filterNames.some((known) => known === name);
  if (isKnown && flag.includes("=")) return { name, value: flag.slice(name.length + 1) };
  const problem = isKnown ? "want name=value" : "unknown filter";
  throw new BuildError("USAGE_INVALID", `--filter ${JSON.stringify(flag)}: ${problem}`, {
    hint: `filters are ${filterNames.join(", ")}`,
  });
}

/** Every image of the store has a name, so there is nothing that dangles. */
function danglingFilter(value: string): ImageFilter {
  if (/^(?:true|1)$/i.test(value)) return () => false;
  if (/^(?:false|0)$/i.test(value)) return () => true;
  throw new BuildError("USAGE_INVALID", `--filter "dangling=${value}": want true or false`);
}

/** `name`, or `name=value`. */
export function labelFilter(wanted: string): ImageFilter {
  const [name = ""] = wanted.split("=", 1);
  const value = wanted.includes("=") ? wanted.slice(name.length + 1) : null;
  return ({ config }) => {
    const found = config?.config.Labels?.get(name);
    return found !== undefined && (value === null || found === value);
  };
}

/**
 * A name, which is completed as everywhere, or a pattern of Go's path.Match, which has to fit the name as docker shows it
 * or in full, with or without its tag. Throws REFERENCE_INVALID, USAGE_INVALID.
 */
export function referenceFilter(wanted: string): ImageFilter {
  if (!hasWildcard(wanted)) {
    const { registry, repository, tag, digest } = parseReference(wanted);
    const isTagged = wanted.slice(wanted.lastIndexOf("/")).includes(":") && digest === null;
    return ({ reference, image }) =>
      reference.registry === registry &&
      reference.repository === repository &&
      (!isTagged || reference.tag === tag) &&
      (digest === null || image.manifests.includes(digest));
  }
  const pattern = patternOf(wanted);
  return ({ reference }) =>
    [
      familiarReference(reference),
      repositoryOf(reference),
      formatReference(reference),
      `${reference.registry}/${reference.repository}`,
    ].some((name) => pattern.matches(name));
}

function patternOf(text: string): ReturnType<typeof parseGoPattern> {
  try {
    return parseGoPattern(text);
  } catch (error) {
    if (!isBuildError(error, "DOCKERFILE_BAD_ARGUMENT")) throw error;
    throw new BuildError("USAGE_INVALID", error.message, { cause: error });
  }
}

async function creationOf(store: Store, name: string): Promise<number> {
  const { image } = await chooseImage(store, name);
  const [first] = image.platforms;
  return first === undefined ? 0 : (createdAtMsOf(await readConfig(store, first.imageId)) ?? 0);
}
