/** Largest blob that is taken, in bytes. */
export const largestBlobBytes = 64 * 2 ** 30;
/** No byte from or to a client for this long, and its request is given up. */
export const clientIdleMs = 60_000;
/** A body must come with this many bytes per second on average… */
export const leastBytesPerSecond = 1024;
/** …once it has been coming for this long. */
export const slowAfterMs = 60_000;
/** Uploads that have been begun and not ended. */
export const mostUploads = 256;
/** An upload nobody has continued for this long is forgotten. */
export const uploadPatienceMs = 15 * 60_000;
/** Connections at the same time. */
export const mostConnections = 512;
/** Entries of a list that are sent at once, at most. */
export const longestPage = 10_000;
/** The store is let go of after this long without a request. */
export const storeIdleMs = 500;
/** How long requests that are being answered may go on when the server is to stop. */
export const stopPatienceMs = 10_000;
