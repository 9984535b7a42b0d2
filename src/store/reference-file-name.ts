import { createHash } from "node:crypto";

const maxNameBytes = 200;

/**
 * File name for a reference or any other text: lower-case letters, digits and `.-_:@` stand for themselves, `/` is `~`,
 * every other byte is `%XX`. Injective, also on file systems that fold case or Unicode forms. What would get too long
 * keeps its beginning and ends in `%-` and the sha256 of the whole text. Never "", "." or "..", never hidden.
 */
export function fileNameOf(text: string): string {
  const bytes = Buffer.from(text, "utf8");
  let name = "";
  for (const [at, byte] of bytes.entries()) {
    const char = String.fromCharCode(byte);
    if (char === "/") name += "~";
    else if (/[a-z0-9\-_:@.]/.test(char) && !(at === 0 && char === ".")) name += char;
    else name += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    if (name.length > maxNameBytes)
      return `${name.slice(0, maxNameBytes - 80)}%-${createHash("sha256").update(bytes).digest("hex")}`;
  }
  return name === "" ? "%" : name;
}
