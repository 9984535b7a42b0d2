import type { HttpRequest, HttpResponse, HttpTransport } from "../../src/registry/http-transport.ts";

export interface ScriptedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Answers by URL without a network, so that hosts and TLS can be made up; records what was sent. */
export class ScriptedTransport implements HttpTransport {
  readonly requests: HttpRequest[] = [];
  readonly #script: (request: HttpRequest) => ScriptedAnswer;

  constructor(script: (request: HttpRequest) => ScriptedAnswer) {
    this.#script = script;
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    this.requests.push(request);
    const { status, headers = {}, body = "" } = this.#script(request);
    const headerValues = (name: string): readonly string[] => {
      const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
      return value === undefined ? [] : [value];
    };
    return {
      status,
      header: (name) => headerValues(name)[0] ?? null,
      headerValues,
      body: bytesOf(body),
      discard: () => {},
    };
  }
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
