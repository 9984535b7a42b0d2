import { mediaTypes } from "../image/media-types.ts";
import type { ContentDigest } from "../store/content-digest.ts";
import { answer, answerJson, type Exchange } from "./exchange.ts";
import { RegistryRefusal } from "./registry-refusal.ts";
import { longestPage } from "./serve-limits.ts";
import type { OpenedStore } from "./store-lease.ts";

/** Answers with the names of all repositories. */
export async function serveCatalog(exchange: Exchange, { store, images }: OpenedStore): Promise<void> {
  const names = new Set([...(await store.repositories.list()), ...(await images.repositories())]);
  const { page, link } = pageOf([...names], exchange, "/v2/_catalog");
  answerJson(exchange, { repositories: page }, link);
}

/** Answers with the tags of a repository. */
export async function serveTags(exchange: Exchange, repository: string, { store, images }: OpenedStore): Promise<void> {
  const pushed = (await store.repositories.listTags(repository)).map(({ tag }) => tag);
  const tags = new Set([...pushed, ...(await images.tags(repository))]);
  if (tags.size === 0 && (await store.repositories.listManifests(repository)).length === 0)
    throw new RegistryRefusal(404, "NAME_UNKNOWN", `repository ${repository}: not found`);
  const { page, link } = pageOf([...tags], exchange, `/v2/${repository}/tags/list`);
  answerJson(exchange, { name: repository, tags: page }, link);
}

/** Answers with the manifests of a repository that are about `subject`, as an index. */
export async function serveReferrers(
  exchange: Exchange,
  repository: string,
  subject: ContentDigest,
  { store }: OpenedStore,
): Promise<void> {
  const wanted = exchange.query.get("artifactType");
  const referrers = (await store.repositories.listManifests(repository)).filter(
    (manifest) => manifest.subject === subject && (wanted === null || manifest.artifactType === wanted),
  );
  const byDigest = new Map<string, (typeof referrers)[number]>(referrers.map((each) => [each.digest, each]));
  const { page, link } = pageOf([...byDigest.keys()], exchange, `/v2/${repository}/referrers/${subject}`);
  const manifests = page.flatMap((name) => {
    const { mediaType, digest, size, artifactType, annotations } = byDigest.get(name) ?? {};
    return {
      mediaType,
      digest,
      size,
      ...(artifactType ? { artifactType } : {}),
      ...(annotations === undefined || annotations.size === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
    };
  });
  const headers = {
    "content-type": mediaTypes.ociIndex,
    ...link,
    ...(wanted === null ? {} : { "oci-filters-applied": "artifactType" }),
  };
  answer(exchange, 200, headers, JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
}

/** The part of a list that `n` and `last` of the query ask for, in order, and the header that leads to the next one. */
function pageOf(
  names: readonly string[],
  { query }: Exchange,
  path: string,
): { readonly page: readonly string[]; readonly link: Readonly<Record<string, string>> } {
  const asked = query.get("n");
  if (asked !== null && !/^\d{1,9}$/.test(asked))
    throw new RegistryRefusal(400, "PAGINATION_NUMBER_INVALID", `n=${asked.slice(0, 20)}: want a number`);
  const last = query.get("last") ?? "";
  const count = Math.min(asked === null ? longestPage : Number(asked), longestPage);
  const rest = names.filter((name) => name > last).sort((a, b) => (a < b ? -1 : 1));
  const page = rest.slice(0, count);
  const end = page.at(-1);
  if (rest.length <= count || end === undefined) return { page, link: {} };
  const next = new URLSearchParams({ n: String(count), last: end });
  const filter = query.get("artifactType");
  if (filter !== null) next.set("artifactType", filter);
  return { page, link: { link: `<${path}?${next}>; rel="next"` } };
}
