import { BuildError } from "../base/errors.ts";

const units: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const duration = /^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/;
/** A date, or a date and a time; without a zone in UTC. */
const date = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;

/** `90s`, `24h`, `7d`, `1h30m`; in milliseconds. `flag` names it for messages. Throws USAGE_INVALID. */
export function parseDurationMs(text: string, flag: string): number {
  const parts = duration.test(text) ? [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)] : [];
  if (parts.length === 0)
    throw new BuildError("USAGE_INVALID", `${flag} ${JSON.stringify(text)}: not a duration`, {
      hint: "durations look like 30m, 24h, 7d or 1h30m",
    });
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ""] ?? 0) * 1000, 0);
}

/**
 * A moment in milliseconds since 1970: a duration before `nowMs`, seconds since 1970, a date or a time like
 * `2024-05-06T07:08:09Z`. Throws USAGE_INVALID.
 */
export function parseMoment(text: string, flag: string, nowMs: number): number {
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1000;
  if (!date.test(text)) return nowMs - parseDurationMs(text, flag);
  const isZoned = !text.includes("T") || /(?:Z|[+-]\d{2}:\d{2})$/.test(text);
  const atMs = Date.parse(isZoned ? text : `${text}Z`);
  if (!Number.isNaN(atMs)) return atMs;
  throw new BuildError("USAGE_INVALID", `${flag} ${JSON.stringify(text)}: no such date`);
}
