/** What the comments in front of an instruction say about `name`: the rest of a line that begins with it; "" if none does. */
export function docComment(comments: readonly string[], name: string): string {
  const line = comments.find((comment) => comment.startsWith(`${name} `));
  return line === undefined ? "" : line.slice(name.length + 1);
}
