/** What can be wrong with an image. */
export type ProblemCode =
  /** Not what an archive or layout has to have. */
  | "LAYOUT"
  /** An index, manifest, config or record that cannot be read or contradicts itself. */
  | "DOCUMENT"
  | "BLOB_MISSING"
  | "BLOB_SIZE"
  | "BLOB_DIGEST"
  /** What a blob is, and what it is said to be. */
  | "MEDIA_TYPE"
  | "DIFF_ID"
  | "LAYER_COUNT"
  | "HISTORY_COUNT"
  | "PLATFORM"
  /** A tar that readers may understand differently, or not at all. */
  | "TAR_FORMAT"
  | "TAR_NAME"
  | "TAR_ORDER"
  | "TAR_DUPLICATE"
  | "TAR_MARK"
  /** The index of a stored layer tells something else than its tar. */
  | "INDEX";

export interface ImageProblem {
  readonly code: ProblemCode;
  /** The digest or file it is about. */
  readonly subject: string;
  readonly message: string;
}
