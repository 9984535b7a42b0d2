const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** How long ago something was, as docker prints it: `3 hours ago`. */
export function formatAge(seconds: number): string {
  return `${formatSpan(Math.max(0, seconds))} ago`;
}

function formatSpan(seconds: number): string {
  if (seconds < 1) return "Less than a second";
  if (seconds < 2) return "1 second";
  if (seconds < minute) return `${Math.floor(seconds)} seconds`;
  if (seconds < 2 * minute) return "About a minute";
  if (seconds < hour) return `${Math.floor(seconds / minute)} minutes`;
  if (seconds < 1.5 * hour) return "About an hour";
  if (seconds < 2 * day) return `${Math.round(seconds / hour)} hours`;
  if (seconds < 14 * day) return `${Math.floor(seconds / day)} days`;
  if (seconds < 60 * day) return `${Math.floor(seconds / (7 * day))} weeks`;
  if (seconds < 730 * day) return `${Math.floor(seconds / (30 * day))} months`;
  return `${Math.floor(seconds / (365 * day))} years`;
}

/** A moment in milliseconds since 1970 as docker prints it, in UTC: `2024-05-06 07:08:09 +0000 UTC`. */
export const formatMoment = (atMs: number): string =>
  `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`;

/** A duration in seconds with one digit: `1.3s`. */
export const formatSeconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)}s`;
