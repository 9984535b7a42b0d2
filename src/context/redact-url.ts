/** The same text with the user and password of every URL in it replaced: for messages, logs, history and records. */
export function redactUrls(text: string): string {
  return text.replace(/:\/\/[^\s/]*@/g, "://xxxxx@");
}
