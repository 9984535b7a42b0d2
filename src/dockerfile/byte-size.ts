const powers: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

const maxLength = 100;

/** Bytes of a size such as `64`, `128m`, `1.5 GiB`; units are powers of 1024. null when it is none. */
export function parseByteSize(text: string): number | null {
  const match = /^(\d+\.?\d*|\.\d+) ?(?:b|([kmgtp])(?:i?b)?)?$/i.exec(text.length > maxLength ? "" : text);
  if (match === null) return null;
  const bytes = Math.trunc(Number(match[1]) * 1024 ** (powers[(match[2] ?? "").toLowerCase()] ?? 0));
  return Number.isSafeInteger(bytes) ? bytes : null;
}
