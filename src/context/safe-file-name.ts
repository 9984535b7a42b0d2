import { trimSpace } from "./clean-path.ts";

const unnamed = "__unnamed__";

/**
 * The name ADD gives the file it downloads from `url`: the last component of the URL's path, escapes decoded;
 * `__unnamed__` when there is none, `download` when that is no name a file can have.
 */
export function fileNameOfUrl(url: string): string {
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] ?? "";
  const decoded = decodeOrKeep(path).replace(/\/+$/, "");
  const base = decoded.slice(decoded.lastIndexOf("/") + 1);
  return base === "" || base === "." ? unnamed : safeFileName(base);
}

function safeFileName(text: string): string {
  const name = trimSpace(text);
  const isUsable = name !== "" && name !== "." && name !== ".." && Buffer.byteLength(name) <= 255;
  return isUsable && !/[\0-\x1f\x7f-\x9f]/.test(name) ? name : "download";
}

function decodeOrKeep(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
