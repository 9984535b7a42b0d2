import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BuildError } from "../../base/errors.ts";
import { openTree } from "../../context/open-tree.ts";
import type { TreeSpec } from "../../context/tree-spec.ts";
import { parseImageConfig, serializeImageConfig } from "../../image/config-json.ts";
import { largestConfigBytes } from "../../image/image-document.ts";
import { resolveInTree } from "../../layer/resolve-path.ts";
import { requireProgramsOf } from "../../sandbox/foreign-programs.ts";
import type { SandboxSpec } from "../../sandbox/sandbox-spec.ts";
import { fillDirectory } from "../../steps/run/fill-directory.ts";
import { overlayDirectories } from "../../steps/run/overlay-directories.ts";
import { makeUpper } from "../../steps/run.ts";
import type { OpenContainer } from "../../store/container-store.ts";
import type { StoredPlatformImage } from "../../store/image-store.ts";
import type { ImageWorkshop } from "../image-workshop.ts";
import { containerConfig, containerEnvironment, programOf } from "./container-config.ts";
import { type ContainerVolume, outerFirst, planContainerMounts } from "./container-mounts.ts";
import { randomContainerName } from "./container-name.ts";
import type { RunRequest } from "./run-request.ts";

/** A container that is ready to run; it needs the store no more. */
export interface ReadyContainer {
  readonly container: OpenContainer;
  readonly spec: SandboxSpec;
}

const defaultShmSizeBytes = 64 << 20;

/**
 * Makes a container of an image; `name` is what the image was asked for by. Its layers are fetched and unpacked if need
 * be. Throws what that throws, and USAGE_INVALID, CONTAINER_IN_USE, RUNTIME_UNAVAILABLE.
 */
export async function createContainer(
  request: RunRequest,
  image: StoredPlatformImage,
  name: string,
  workshop: ImageWorkshop,
  signal: AbortSignal,
): Promise<ReadyContainer> {
  const { store, layers } = workshop;
  const subject = `config of ${name}`;
  const base = parseImageConfig(await store.blobs.readBytes(image.imageId, largestConfigBytes), subject);
  const config = containerConfig(base.config, request);
  const args = programOf(config, name);
  const { mounts, volumes } = planContainerMounts(request.mounts, config.Volumes ?? []);
  for (const mount of mounts) if (mount.kind === "bind") requireSource(mount.source);
  requireProgramsOf(base.platform, `image ${name}`);
  await store.containers.sweep();

  const id = randomBytes(32).toString("hex");
  const draft = await layers.makeTemporary();
  const place = store.paths.container(id);
  const directories = await overlayDirectories(image.diffIds, join(draft, "implied"), workshop, signal);
  const lowers = directories.map((path) => (path === join(draft, "implied") ? join(place, "implied") : path));
  makeUpper(join(draft, "dir"), directories);
  await mkdir(join(draft, "work"), { mode: 0o700 });
  if (volumes.length > 0) await makeVolumes(volumes, draft, image, workshop, signal);

  const taken = new Set((await store.containers.list()).map((container) => container.name));
  const container = await store.containers.add(draft, {
    id,
    name: request.name ?? randomContainerName(taken),
    image: name,
    imageId: image.imageId,
    diffIds: image.diffIds,
    args,
    createdAtMs: Date.now(),
    isTransient: request.isTransient,
    imageConfig: Buffer.from(serializeImageConfig({ ...base, config })).toString("utf8"),
  });
  const hostname = request.hostname ?? id.slice(0, 12);
  const volumeMounts = volumes.map(({ target, directory }) => {
    return { kind: "bind", source: join(place, directory), subPath: "", target, readOnly: false } as const;
  });
  const spec: SandboxSpec = {
    args,
    env: containerEnvironment(config, hostname, request.hasTerminal),
    cwd: config.WorkingDir || "/",
    user: config.User ?? "",
    lowers,
    upper: join(place, "dir"),
    work: join(place, "work"),
    isRootReadOnly: request.isReadOnly,
    mounts: outerFirst([...mounts, ...volumeMounts]),
    network: request.network,
    security: "sandbox",
    hostname,
    extraHosts: request.extraHosts,
    shmSizeBytes: request.shmSizeBytes ?? defaultShmSizeBytes,
    ulimits: request.ulimits,
  };
  return { container, spec };
}

function requireSource(path: string): void {
  if (existsSync(path)) return;
  throw new BuildError("USAGE_INVALID", `mount source ${JSON.stringify(path)}: no such file or directory`, {
    hint: "make it first: a directory that is mounted is not made",
  });
}

/** A directory for each volume, which begins as what the image has in its place. */
async function makeVolumes(
  volumes: readonly ContainerVolume[],
  draft: string,
  image: StoredPlatformImage,
  workshop: ImageWorkshop,
  signal: AbortSignal,
): Promise<void> {
  const { layers } = workshop;
  const locations = await Promise.all(image.diffIds.map((diffId) => layers.readable(diffId, signal)));
  const tree: TreeSpec = { kind: "layers", layers: locations };
  const files = openTree(tree);
  for (const { target, directory } of volumes) {
    const path = join(draft, directory);
    await mkdir(path, { recursive: true, mode: 0o755 });
    if (files.lstat(resolveInTree(files, target, "all"))?.type === "directory")
      await fillDirectory(tree, target, path, workshop, signal);
  }
}
