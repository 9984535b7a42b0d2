import { parseContentDigest } from "../store/content-digest.ts";
import { answer, type Exchange } from "./exchange.ts";
import { RegistryRefusal } from "./registry-refusal.ts";
import { checkRepositoryName } from "./registry-route.ts";
import { bodyOf } from "./request-body.ts";
import { findBlob } from "./serve-blob.ts";
import { largestBlobBytes } from "./serve-limits.ts";
import type { OpenedStore } from "./store-lease.ts";
import type { Upload, Uploads } from "./uploads.ts";

/** POST: begins an upload, takes all of a blob, or takes it over from another repository. */
export async function beginUpload(
  exchange: Exchange,
  repository: string,
  uploads: Uploads,
  opened: OpenedStore,
  idleMs: number,
): Promise<void> {
  const { query } = exchange;
  const mounted = query.get("mount");
  if (mounted !== null && (await mount(exchange, repository, mounted, query.get("from"), opened))) return;
  const digest = query.get("digest");
  if (digest !== null) parseContentDigest(digest);
  const upload = await uploads.begin(repository);
  if (digest === null) {
    answer(exchange, 202, uploadHeaders(upload));
    return;
  }
  await upload.inTurn(() => complete(exchange, upload, digest, uploads, idleMs));
}

/** PATCH, PUT, GET and DELETE of an upload that was begun. */
export async function continueUpload(
  exchange: Exchange,
  repository: string,
  id: string,
  uploads: Uploads,
  idleMs: number,
): Promise<void> {
  const { request } = exchange;
  const upload = uploads.find(repository, id);
  switch (request.method) {
    case "GET":
      answer(exchange, 204, uploadHeaders(upload));
      return;
    case "DELETE":
      await upload.inTurn(() => uploads.end(upload));
      answer(exchange, 204, {});
      return;
    case "PATCH":
      await upload.inTurn(async () => {
        uploads.find(repository, id);
        await receive(exchange, upload, idleMs);
        answer(exchange, 202, uploadHeaders(upload));
      });
      return;
    case "PUT":
      await upload.inTurn(async () => {
        uploads.find(repository, id);
        await complete(exchange, upload, exchange.query.get("digest"), uploads, idleMs);
      });
      return;
    default:
      throw new RegistryRefusal(405, "UNSUPPORTED", "no such method");
  }
}

const uploadHeaders = (upload: Upload): Readonly<Record<string, string>> => ({
  location: `/v2/${upload.repository}/blobs/uploads/${upload.id}`,
  range: `0-${Math.max(0, upload.offset - 1)}`,
  "docker-upload-uuid": upload.id,
});

async function mount(
  exchange: Exchange,
  repository: string,
  wanted: string,
  from: string | null,
  opened: OpenedStore,
): Promise<boolean> {
  const digest = parseContentDigest(wanted);
  if (from !== null) checkRepositoryName(from);
  const anywhere = from === null ? await opened.store.repositories.findBlobAnywhere(digest) : null;
  const source = from ?? anywhere?.repository;
  const blob = source === undefined ? null : await findBlob(source, digest, opened);
  if (blob === null) return false;
  await opened.store.repositories.addBlob({ repository, digest, blob: blob.digest, size: blob.size });
  answerCreated(exchange, repository, digest);
  return true;
}

/** Adds the body of the request. What a client that says where it goes on gets wrong is refused before it is read. */
async function receive({ request }: Exchange, upload: Upload, idleMs: number): Promise<void> {
  const range = request.headers["content-range"];
  const [, first, last] = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(range ?? "") ?? [];
  if (range !== undefined && Number(first) !== upload.offset) {
    const message = `range ${JSON.stringify(range.slice(0, 100))}: want it to begin at ${upload.offset}`;
    throw new RegistryRefusal(416, "RANGE_INVALID", message, uploadHeaders(upload));
  }
  const length = request.headers["content-length"];
  if (first !== undefined && length !== undefined && Number(last) - Number(first) + 1 !== Number(length))
    throw new RegistryRefusal(400, "SIZE_INVALID", `range ${range}: but there are ${length} bytes`);
  await upload.append(bodyOf(request, largestBlobBytes - upload.offset, idleMs));
}

async function complete(
  exchange: Exchange,
  upload: Upload,
  wanted: string | null,
  uploads: Uploads,
  idleMs: number,
): Promise<void> {
  const digest = parseContentDigest(wanted);
  const isSingle = upload.offset === 0 && exchange.request.method === "POST";
  try {
    await receive(exchange, upload, idleMs);
  } catch (error) {
    // Nobody knows of an upload in one request, so nobody can continue it.
    if (isSingle) await uploads.end(upload);
    throw error;
  }
  try {
    const { repository, opened } = upload;
    const blob = await upload.finish(digest);
    await opened.store.repositories.addBlob({ repository, digest, blob: blob.digest, size: blob.size });
  } finally {
    await uploads.end(upload);
  }
  answerCreated(exchange, upload.repository, digest);
}

const answerCreated = (exchange: Exchange, repository: string, digest: string): void =>
  answer(exchange, 201, {
    location: `/v2/${repository}/blobs/${digest}`,
    "docker-content-digest": digest,
  });
