import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { afterEach, beforeEach } from "vitest";
import type { BuildEvent } from "../../src/base/build-event.ts";
import type { BuildReceipt } from "../../src/engine/build-request.ts";
import { type Engine, openEngine } from "../../src/engine/engine.ts";
import { baseLayout } from "./base-registry.ts";
import { requestOf } from "./build-request.ts";
import { useTemporaryDirectory } from "./temporary-directory.ts";

/** What came of one build. */
export interface EngineBuild {
  readonly receipt: BuildReceipt;
  readonly events: readonly BuildEvent[];
  /** Names of the steps that ran. */
  readonly ran: readonly string[];
}

export interface EngineUnderTest {
  /** A fresh directory of the test. */
  readonly path: string;
  readonly engine: Engine;
  /** Where its store is. */
  readonly root: string;
  /** Writes files below a new directory of the test; its path. */
  directory(files: Readonly<Record<string, string | Buffer>>): string;
  /** Builds as the command line would; the image `busybox` is the one of fixtures/base. */
  build(...args: readonly string[]): Promise<EngineBuild>;
  /** The same, with something on standard input. */
  buildFromStdin(stdin: Readable, ...args: readonly string[]): Promise<EngineBuild>;
  /** Another engine with a store of its own, closed after the test. */
  another(): Promise<Pick<EngineUnderTest, "engine" | "root" | "build">>;
}

/** An engine with a fresh store for each test of the file that calls this. */
export function useEngine(): EngineUnderTest {
  const temporary = useTemporaryDirectory();
  let engines: Engine[] = [];
  let roots: string[] = [];
  const open = async (): Promise<Engine> => {
    const root = mkdtempSync(join(temporary.path, "store-"));
    const engine = await openEngine({ root, environment: process.env });
    engines.push(engine);
    roots.push(root);
    return engine;
  };
  beforeEach(async () => {
    engines = [];
    roots = [];
    await open();
  });
  afterEach(async () => {
    for (const engine of engines) await engine.close();
  });
  const first = (): Engine => {
    const [engine] = engines;
    if (engine === undefined) throw new Error("the engine is only open during a test");
    return engine;
  };
  return {
    get path() {
      return temporary.path;
    },
    get engine() {
      return first();
    },
    get root() {
      return roots[0] ?? "";
    },
    directory(files) {
      const directory = mkdtempSync(join(temporary.path, "context-"));
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(directory, name)), { recursive: true });
        writeFileSync(join(directory, name), content);
      }
      return directory;
    },
    build: (...args) => buildWith(first(), args),
    buildFromStdin: (stdin, ...args) => buildWith(first(), args, stdin),
    async another() {
      const engine = await open();
      return { engine, root: roots.at(-1) ?? "", build: (...args) => buildWith(engine, args) };
    },
  };
}

async function buildWith(engine: Engine, args: readonly string[], stdin?: Readable): Promise<EngineBuild> {
  const events: BuildEvent[] = [];
  const request = await requestOf(["build", "--build-context", `busybox=oci-layout://${baseLayout}`, ...args]);
  const sink = { emit: (event: BuildEvent) => void events.push(event) };
  const given = stdin === undefined ? request : { ...request, stdin };
  const receipt = await engine.build(given, sink, new AbortController().signal);
  const names = new Map(
    events.flatMap((event) => (event.kind === "plan" ? event.vertices.map(({ id, name }) => [id, name] as const) : [])),
  );
  const ran = events.flatMap((event) => (event.kind === "started" ? [names.get(event.vertex) ?? event.vertex] : []));
  return { receipt, events, ran };
}
