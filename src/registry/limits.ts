/** Largest answer of a token server, in bytes. */
export const largestTokenBytes = 1024 * 1024;
/** Largest error body that is read, in bytes; the rest is not asked for. */
export const largestErrorBytes = 64 * 1024;
/** Largest header section of a response, in bytes. */
export const largestHeaderBytes = 64 * 1024;
/** Redirects followed for one request. */
export const mostRedirects = 10;
/** Indexes inside indexes that are followed for one image. */
export const deepestIndex = 4;
/** No byte for this long, and a connection counts as lost. */
export const idleTimeoutMs = 60_000;
/** A Retry-After above this is an answer, not a pause. */
export const longestPauseMs = 60_000;
/** A transfer that came this far since it last broke gets all its attempts again. */
export const progressBytes = 1024 * 1024;
/** Bytes of one request when an upload is continued in pieces. */
export const uploadPieceBytes = 5 * 1024 * 1024;
/** Blobs sent to a registry at the same time. */
export const uploadsAtOnce = 4;
