import { BuildError } from "../base/errors.ts";
import type { RegistryAnswer } from "./registry-exchange.ts";

/** An upload a registry has begun (distribution-spec, "Pushing blobs"). */
export interface UploadSession {
  /** Where the next request goes; changes with every answer. */
  readonly url: URL;
  /** How many bytes the registry says it has. */
  readonly offset: number;
  /** The registry wants no smaller pieces, but for the last one. */
  readonly smallestPiece: number;
}

/** The session an answer to POST, PATCH or GET tells of; `before` is what was known. Throws SOURCE_INVALID. */
export function sessionAfter(
  { response, url }: RegistryAnswer,
  origin: URL,
  before: UploadSession | null,
  offset: number,
): UploadSession {
  const location = response.header("location");
  const smallest = Number(response.header("oci-chunk-min-length") ?? 0);
  return {
    url: location === null && before !== null ? before.url : checkedLocation(location, url, origin),
    offset,
    smallestPiece: Number.isSafeInteger(smallest) && smallest > 0 ? smallest : (before?.smallestPiece ?? 0),
  };
}

/**
 * Where to upload to. A registry that sends uploads to another host would get what is uploaded, and perhaps
 * credentials, to a place the user did not name. Throws SOURCE_INVALID.
 */
function checkedLocation(location: string | null, from: URL, origin: URL): URL {
  const refuse = (problem: string): BuildError =>
    new BuildError("SOURCE_INVALID", `registry ${origin.host}: upload refused: ${problem}`);
  if (location === null || !URL.canParse(location, from.href)) throw refuse("it does not say where to");
  const target = new URL(location, from);
  if (target.origin !== origin.origin) throw refuse(`it leads to ${target.protocol}//${target.host}`);
  if (target.username !== "" || target.password !== "") throw refuse("its URL holds credentials");
  return target;
}

/** The URL that completes an upload. What the registry put into the query stays as it is, byte for byte. */
export function completionUrl(session: URL, digest: string): URL {
  const url = new URL(session);
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}

/** How many bytes a Range header (`0-1023`) says are there; null when there is none that can be read. */
export function bytesReceived(range: string | null): number | null {
  const last = /^(?:bytes[= ])?0-(\d{1,15})$/.exec(range ?? "")?.[1];
  if (last === undefined) return null;
  // Registries say 0-0 of an upload that has nothing yet.
  return last === "0" ? 0 : Number(last) + 1;
}
