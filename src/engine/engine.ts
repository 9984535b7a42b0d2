import { setMaxListeners } from "node:events";
import type { ProgressSink } from "../base/build-event.ts";
import type { Digest } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import type { Platform } from "../image/platform.ts";
import { formatReference, parseNewName, parseReference } from "../image/reference.ts";
import { checkDestination, epochOf, openOutput } from "../output/open-output.ts";
import type { OutputReceipt, PlatformImage } from "../output/output.ts";
import type { OutputAnnotation } from "../output/output-annotation.ts";
import type { OutputSpec } from "../output/parse-output-flag.ts";
import type { Push } from "../output/push-content-of.ts";
import type { BuildWarning } from "../plan/build-graph.ts";
import { RegistryBlobs } from "../registry/registry-blobs.ts";
import type { RegistryClient } from "../registry/registry-client.ts";
import type { RegistryWriter } from "../registry/registry-writer.ts";
import { limitRuntime } from "../sandbox/cgroups/limit-runtime.ts";
import { requireProgramsOf } from "../sandbox/foreign-programs.ts";
import { NamespaceRuntime } from "../sandbox/namespaces/namespace-runtime.ts";
import { CacheMounts } from "../steps/run/cache-mounts.ts";
import { CacheRecords } from "../store/cache-records.ts";
import type { LayerStore, RemoteBlobs } from "../store/layer-store.ts";
import { openLayerStore } from "../store/open-layer-store.ts";
import { openUnheldStore, type Store } from "../store/open-store.ts";
import type { OnTransfer } from "../store/remote-fetcher.ts";
import { StoreChanged } from "../store/store-hold.ts";
import { WorkerPool } from "../workers/worker-pool.ts";
import { solveGraph } from "./build.ts";
import { BuildContexts } from "./build-contexts.ts";
import type { BuildReceipt, BuildRequest, RegistryReceipt } from "./build-request.ts";
import {
  type CheckReport,
  checkRequest,
  type OutlineReport,
  outlineRequest,
  type TargetsReport,
  targetsOfRequest,
} from "./describe-build.ts";
import { type BuiltImage, finishImages, reportSquashes, squashImages } from "./finish-images.ts";
import { ImageResolver } from "./image-resolver.ts";
import { leavingLayers } from "./leaving-layers.ts";
import { type PlanParts, planRequest } from "./plan-request.ts";
import type { PushOptions } from "./push-stored-images.ts";
import { pushToRegistries } from "./push-to-registries.ts";
import { RemoteContexts } from "./remote-contexts.ts";
import { StepOps } from "./step-ops.ts";
import { storedEarlierLayers } from "./stored-earlier-layers.ts";
import { storedHttpNotes } from "./stored-http-notes.ts";

/** Where and how an engine works. */
export interface EngineSettings {
  /** Directory of the store. */
  readonly root: string;
  /** Where credentials, proxies and configuration are looked up. */
  readonly environment: NodeJS.ProcessEnv;
}

/** Builds images; what the command line and any other front end call. */
export interface Engine {
  /**
   * Builds what `request` asks for and writes its outputs. After an abort the promise rejects with BUILD_CANCELLED when
   * no step runs any more. Rejects with the BuildError of the first failure; outputs are then as they were before.
   */
  build(request: BuildRequest, sink: ProgressSink, signal: AbortSignal): Promise<BuildReceipt>;
  /** Checks without building; what is wrong with the Dockerfile is in the report. Rejects when it cannot be read. */
  check(request: BuildRequest, sink: ProgressSink, signal: AbortSignal): Promise<CheckReport>;
  /** What the target takes: ARGs, secrets, agents. Rejects as planning a build does. */
  outline(request: BuildRequest, sink: ProgressSink, signal: AbortSignal): Promise<OutlineReport>;
  /** The stages that can be built. Rejects when the Dockerfile cannot be read or parsed. */
  targets(request: BuildRequest, sink: ProgressSink, signal: AbortSignal): Promise<TargetsReport>;
  /** Pushes images of the store. Rejects with what went wrong first. */
  push(
    names: readonly string[],
    options: PushOptions,
    sink: ProgressSink,
    signal: AbortSignal,
  ): Promise<readonly RegistryReceipt[]>;
  /** Brings the image `name` of a registry into the store, for each of `platforms`. Rejects when one is missing. */
  pull(
    name: string,
    platforms: readonly Platform[] | "all",
    sink: ProgressSink,
    signal: AbortSignal,
  ): Promise<RegistryReceipt>;
  close(): Promise<void>;
}

/** Opens the store and wires everything together; nothing else picks implementations. */
export async function openEngine(settings: EngineSettings): Promise<Engine> {
  const store = await openUnheldStore(settings.root);
  const tasks = new WorkerPool();
  const runtime = new NamespaceRuntime();
  let registry: Promise<RegistryClient> | null = null;
  const useRegistry = (): Promise<RegistryClient> => {
    registry ??= import("./open-registry.ts").then(({ openRegistry }) => openRegistry(settings.environment));
    return registry;
  };
  const openWriter = (): Promise<RegistryWriter> =>
    import("./open-registry.ts").then(({ openRegistryWriter }) => openRegistryWriter(settings.environment));
  const remoteBlobs: RemoteBlobs = {
    open: async (origin, blob, signal) => new RegistryBlobs(await useRegistry()).open(origin, blob, signal),
  };
  const partsFor = (request: BuildRequest, layers: LayerStore): PlanParts => ({
    contexts: new BuildContexts(request, store.contextsDirectory, new RemoteContexts(layers, tasks)),
    images: new ImageResolver(store, layers, useRegistry, request.pull),
  });
  /** For questions that fetch no layer. */
  const partsOf = (request: BuildRequest): PlanParts =>
    partsFor(
      request,
      openLayerStore(store, tasks, remoteBlobs, () => {}),
    );
  const engine: Engine = {
    check: (request, sink, signal) => checkRequest(request, partsOf(request), sink, signal),
    outline: (request, sink, signal) => outlineRequest(request, partsOf(request), sink, signal),
    targets: (request, sink, signal) => targetsOfRequest(partsOf(request), sink, signal),
    async pull(name, platforms, sink, signal) {
      setMaxListeners(0, signal);
      await store.hold();
      const { pullImage } = await import("./pull-image.ts");
      const openLayers = (onTransfer: OnTransfer): LayerStore => openLayerStore(store, tasks, remoteBlobs, onTransfer);
      return pullImage(name, platforms, store, openLayers, await useRegistry(), sink, signal);
    },
    async push(names, options, sink, signal) {
      setMaxListeners(0, signal);
      await store.hold();
      const { pushStoredImages } = await import("./push-stored-images.ts");
      const layers = openLayerStore(store, tasks, remoteBlobs, () => {});
      return pushStoredImages(names, options, store, layers, pushToRegistries(openWriter, sink), signal);
    },
    async build(request, sink, signal) {
      setMaxListeners(0, signal); // every layer that is fetched, compressed or written listens
      checkNames(request);
      for (const output of request.outputs) await checkDestination(output);
      let vertexOfBlob: (blob: string) => string | null = () => null;
      const layers = openLayerStore(store, tasks, remoteBlobs, ({ label, doneBytes, totalBytes }) => {
        const vertex = vertexOfBlob(label);
        if (vertex !== null) sink.emit({ kind: "transfer", atMs: Date.now(), vertex, label, doneBytes, totalBytes });
      });
      const parts = partsFor(request, layers);
      const { contexts, images } = parts;
      const records = new CacheRecords(store.paths, (diffId) => layers.has(diffId));
      const graph = await planRequest(request, parts, sink, signal);
      vertexOfBlob = (blob) => images.vertexOf(blob, graph);
      const context = {
        tasks,
        layers,
        layersOfImage: (manifest: Digest) => images.layersOf(manifest),
        openContext: (name: string, signal: AbortSignal) => contexts.open(name, signal),
        httpNotes: storedHttpNotes(store),
        earlierLayers: storedEarlierLayers(store),
        nowMs: Date.now,
      };
      const limited = await limitRuntime(runtime, request.limits);
      const services = {
        runtime: limited ?? runtime,
        checkPrograms: requireProgramsOf,
        cacheMounts: new CacheMounts(store.mountsDirectory),
        secrets: request.secrets,
        ssh: request.ssh,
        environment: settings.environment,
      };
      const ops = new StepOps(context, services, leavingLayers(graph, request), sink);
      try {
        const push = pushToRegistries(openWriter, sink);
        const solved = await solveGraph(graph, ops.of(graph), request, records, sink, signal);
        const squashing = { layers, tasks, records, ignoreCache: request.noCache === true };
        const built = request.squash === null ? solved : await squashImages(solved, request.squash, squashing, signal);
        const written = await writeOutputs(built, request, graph.epoch, store, layers, tasks, push, signal);
        const squashed = await reportSquashes(built, layers);
        return { ...written, squashed, warnings: [...graph.warnings, ...rewriteWarnings(request, graph.epoch)] };
      } finally {
        await limited?.close();
        await ops.saveStatCaches(() => store.hold());
      }
    },
    async close() {
      await tasks.close();
      await store.close();
    },
  };
  return { ...engine, build: againAfterChange(engine.build) };
}

/** A build looks for its results before it holds the store; when some of them are removed meanwhile, it begins again. */
function againAfterChange(build: Engine["build"]): Engine["build"] {
  return async (request, sink, signal) => {
    try {
      return await build(request, sink, signal);
    } catch (error) {
      if (!(error instanceof StoreChanged)) throw error;
      return build(request, sink, signal);
    }
  };
}

function checkNames(request: BuildRequest): void {
  for (const tag of request.tags) parseNewName(tag);
  checkAnnotations(request);
  const isNameless = (output: OutputSpec): boolean =>
    output.kind === "image" && output.push && output.names.length === 0 && request.tags.length === 0;
  if (request.outputs.some(isNameless))
    throw new BuildError("USAGE_INVALID", "push: the image has no name", {
      hint: "say where to with -t REGISTRY/NAME:TAG, or name= of the output",
    });
}

/** Only several platforms make an index. */
function checkAnnotations({ annotations, outputs, platforms }: BuildRequest): void {
  const all = [...annotations, ...outputs.flatMap((spec) => ("annotations" in spec ? spec.annotations : []))];
  const onIndex = all.find(({ level }) => level === "index" || level === "index-descriptor");
  if (onIndex === undefined || platforms.length > 1) return;
  throw new BuildError("EXPORT_UNSUPPORTED", `annotation ${onIndex.level}:${onIndex.key}: one platform has no index`, {
    hint: "build several platforms, or annotate the manifest",
  });
}

/** Writes what was built to every output; the images are those of the first. */
async function writeOutputs(
  built: readonly BuiltImage[],
  request: BuildRequest,
  epoch: number | null,
  store: Store,
  layers: LayerStore,
  tasks: WorkerPool,
  push: Push,
  signal: AbortSignal,
): Promise<Pick<BuildReceipt, "images" | "outputs">> {
  const { annotations } = request;
  const parts = {
    layers,
    blobs: store.blobs,
    images: store.images,
    push,
    runner: tasks,
    get stdout() {
      return request.stdout;
    },
    names: request.tags.map((tag) => formatReference(parseReference(tag))),
    nowMs: Date.now,
    epoch,
  };
  const outputs: OutputReceipt[] = [];
  let first: readonly PlatformImage[] | null = null;
  for (const given of request.outputs) {
    const spec = "annotations" in given ? { ...given, annotations: annotationsFor(given, annotations) } : given;
    const images = await finishImages(built, spec, { layers, tasks, annotations, epoch }, signal);
    first ??= images;
    const output = openOutput(spec, parts);
    if (output !== null) outputs.push(await output.write(images, signal));
  }
  const images =
    first ?? (await finishImages(built, { kind: "cacheonly" }, { layers, tasks, annotations, epoch }, signal));
  return { images: images.map(({ platform, imageId }) => ({ platform, imageId })), outputs };
}

/** Annotations of the manifest are part of the image itself; what an output says of its own counts more. */
const annotationsFor = (
  spec: { readonly annotations: readonly OutputAnnotation[] },
  ofBuild: readonly OutputAnnotation[],
): readonly OutputAnnotation[] => [...ofBuild.filter(({ level }) => level !== "manifest"), ...spec.annotations];

function rewriteWarnings(request: BuildRequest, epoch: number | null): readonly BuildWarning[] {
  const isInVain = request.outputs.some(
    (spec) => "rewriteTimestamps" in spec && spec.rewriteTimestamps && epochOf(spec, epoch) === null,
  );
  if (!isInVain) return [];
  const message = "rewrite-timestamp=true changes nothing without SOURCE_DATE_EPOCH or source-date-epoch=";
  return [{ rule: "RewriteTimestamp", message, location: null }];
}
