import { BuildError } from "../base/errors.ts";

/** Error codes of the distribution specification ("Error Codes"), and two that registries share beyond it. */
export type RegistryErrorCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "PAGINATION_NUMBER_INVALID"
  | "RANGE_INVALID"
  | "SIZE_INVALID"
  | "TAG_INVALID"
  | "TOOMANYREQUESTS"
  | "UNAUTHORIZED"
  | "UNKNOWN"
  | "UNSUPPORTED";

/** An answer other than success, thrown by whoever finds out. */
export class RegistryRefusal extends Error {
  readonly status: number;
  readonly code: RegistryErrorCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: RegistryErrorCode,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/**
 * What is told to a client of any error. Of errors of the store only the kind is told: their texts name places on this
 * machine.
 */
export function asRefusal(error: unknown): RegistryRefusal {
  if (error instanceof RegistryRefusal) return error;
  if (error instanceof BuildError) {
    switch (error.code) {
      case "BLOB_DIGEST_INVALID":
        return new RegistryRefusal(400, "DIGEST_INVALID", error.message);
      case "BLOB_NOT_FOUND":
        return new RegistryRefusal(404, "BLOB_UNKNOWN", "the blob is not there any more");
      case "STORE_NO_SPACE":
        return new RegistryRefusal(507, "UNKNOWN", "no space left");
      case "STORE_LOCKED":
        return new RegistryRefusal(503, "UNKNOWN", "the store is being pruned", { "retry-after": "5" });
      default:
        return new RegistryRefusal(500, "UNKNOWN", `the store has a problem (${error.code})`);
    }
  }
  return new RegistryRefusal(500, "UNKNOWN", "internal error");
}
