const rfc3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,30}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/**
 * An RFC 3339 time as Go prints it after reading it: at most nine digits of a second, no zeros at their end, UTC as
 * "Z". Null when `text` is not such a time.
 */
export function normalizeTimestamp(text: string): string | null {
  const match = rfc3339.exec(text);
  if (match === null || !isRealDate(match[1] ?? "")) return null;
  const fraction = (match[2] ?? "").slice(0, 9).replace(/0+$/, "");
  const zone = match[3] === "+00:00" ? "Z" : match[3];
  return `${match[1]}${fraction === "" ? "" : `.${fraction}`}${zone}`;
}

/** Date.parse takes February 30th for a day in March. */
function isRealDate(localTime: string): boolean {
  const ms = Date.parse(`${localTime}Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(localTime);
}

/** The RFC 3339 time of `atMs` milliseconds since the epoch, in UTC, as Go prints it. */
export function formatTimestamp(atMs: number): string {
  const iso = new Date(atMs).toISOString();
  return normalizeTimestamp(iso) ?? iso;
}
