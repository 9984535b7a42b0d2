const maxShown = 120;

/** A piece of the Dockerfile for a message: quoted, control characters escaped, shortened when it is long. */
export function quoteText(text: string): string {
  return JSON.stringify(shorten(text));
}

/** The same without quotes. */
export function shorten(text: string): string {
  return text.length <= maxShown ? text : `${text.slice(0, maxShown)}…`;
}

/** The piece as a detail of an error, for the carets of an excerpt. */
export const wordDetail = (text: string): { readonly word: string } => ({ word: text.slice(0, maxShown) });
