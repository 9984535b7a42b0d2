import type { IncomingMessage, ServerResponse } from "node:http";
import type { RegistryRefusal } from "./registry-refusal.ts";

/** One request and the place for its answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
}

/** Answers with a small body, or none. To HEAD the same is said, without the body. */
export function answer(
  { request, response }: Exchange,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | string = "",
): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, { "content-length": String(bytes.length), ...headers });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

export const answerJson = (exchange: Exchange, body: object, headers: Readonly<Record<string, string>> = {}): void =>
  answer(exchange, 200, { "content-type": "application/json", ...headers }, JSON.stringify(body));

/** Answers with an error body of the distribution specification. */
export function answerRefusal(exchange: Exchange, { status, code, message, headers }: RegistryRefusal): void {
  if (exchange.response.headersSent) {
    exchange.response.destroy();
    return;
  }
  // What is left of a large body is not worth waiting for.
  const close = exchange.request.complete ? {} : { connection: "close" };
  const body = JSON.stringify({ errors: [{ code, message }] });
  answer(exchange, status, { "content-type": "application/json", ...headers, ...close }, body);
}

/** Whether the client says that it has this already (RFC 9110 section 13.1.2). */
export function isNotModified({ request }: Exchange, etag: string): boolean {
  const known = (request.headers["if-none-match"] ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return known.includes(etag) || known.includes("*");
}
