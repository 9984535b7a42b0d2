// The builders that are compared: how each is called, and brought back to where it knows nothing.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { outputOf } from "./measure.js";

const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));
/** The OCI image layout of the base image. */
const baseLayout = join(packageRoot, "fixtures", "base");
const tsbuildProgram = join(packageRoot, "bin", "tsbuild.js");

/** Runs a command that is not measured; throws with its output when it fails. */
function must(program, args, env = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error ?? stdout + stderr}`);
  return stdout.trim();
}

/** tsbuild, from this repository's `dist/`. Each cold build gets a new store. */
function tsbuild(work) {
  const root = join(work, "tsbuild");
  return {
    name: "tsbuild",
    version: must(process.execPath, [tsbuildProgram, "--version"]),
    forget: () => rmSync(root, { recursive: true, force: true }),
    command: ({ context, usesBase, archive }) => ({
      args: [
        ...[process.execPath, tsbuildProgram, "build", "--root", root, "-t", "bench"],
        ...(usesBase ? ["--build-context", `base=oci-layout://${baseLayout}`] : []),
        ...(archive === null ? [] : ["-o", `type=oci,dest=${archive}`]),
        context,
      ],
    }),
    memoryCounts: true,
  };
}

/**
 * BuildKit's own client and daemon, at BUILDKIT_HOST. Its cache is emptied for cold builds. By default it compresses the
 * layers of an image it stores; the others do not, so it is also asked not to, where there is much to compress.
 */
const buildkit = () => buildkitWith("BuildKit", "", () => true);
const buildkitUncompressed = () =>
  buildkitWith(
    "BuildKit, uncompressed",
    ",compression=uncompressed",
    // Both share a cache, so only what is built from nothing tells them apart.
    ({ isCold, usesBase, archive }) => isCold && !usesBase && archive === null,
  );

function buildkitWith(name, imageOptions, isAble) {
  const version = process.env.BUILDKIT_HOST === undefined ? null : outputOf("buildctl", ["debug", "workers"]);
  if (version === null) return null;
  const digest = JSON.parse(must("cat", [join(baseLayout, "index.json")])).manifests[0].digest;
  return {
    name,
    version: outputOf("buildkitd", ["--version"]) ?? "",
    forget: () => must("buildctl", ["prune", "--all"]),
    command(request) {
      const { context, usesBase, archive } = request;
      if (!isAble(request)) return null;
      const base = ["--opt", `context:base=oci-layout://base@${digest}`, "--oci-layout", `base=${baseLayout}`];
      return {
        args: [
          ...["buildctl", "build", "--frontend", "dockerfile.v0", "--local", `context=${context}`],
          ...["--local", `dockerfile=${context}`, "--output"],
          archive === null ? `type=image,name=bench${imageOptions}` : `type=oci,dest=${archive}`,
          ...(usesBase ? base : []),
        ],
      };
    },
    memoryCounts: false,
  };
}

/** Docker with the builder that is part of its daemon, at DOCKER_HOST. Images and their cache are removed for cold builds. */
function docker(work) {
  const env = { DOCKER_BUILDKIT: "0" };
  const version =
    process.env.DOCKER_HOST === undefined ? null : outputOf("docker", ["version", "-f", "{{.Server.Version}}"]);
  if (version === null) return null;
  const archive = join(work, "base-docker.tar");
  rmSync(archive, { force: true });
  must(process.execPath, [
    ...[tsbuildProgram, "build", "--root", join(work, "base-store"), "-t", "base:latest"],
    ...["--build-context", `base=oci-layout://${baseLayout}`, "-o", `type=docker,dest=${archive}`],
    aliasOfBase(work),
  ]);
  must("docker", ["load", "-i", archive]);
  return {
    name: "docker",
    version: `${version}, daemon's own builder`,
    forget() {
      outputOf("docker", ["rmi", "-f", "bench"]);
      outputOf("docker", ["image", "prune", "-f"]);
      outputOf("docker", ["builder", "prune", "-af"]);
    },
    command: ({ context, archive }) =>
      archive === null ? { args: ["docker", "build", "-t", "bench", context], env } : null,
    memoryCounts: false,
  };
}

function aliasOfBase(work) {
  const directory = join(work, "base-alias");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "Dockerfile"), "FROM base\n");
  return directory;
}

/** buildah with a storage of its own; the base image stays in it. */
function buildah(work) {
  const version = outputOf("buildah", ["--version"]);
  if (version === null) return null;
  const storage = ["--root", join(work, "buildah"), "--runroot", join(work, "buildah-run")];
  must("buildah", [...storage, "pull", `oci:${baseLayout}:latest`]);
  const [image] = must("buildah", [...storage, "images", "-q"]).split("\n");
  must("buildah", [...storage, "tag", image, "localhost/base:latest"]);
  return {
    name: "buildah",
    version,
    forget() {
      outputOf("buildah", [...storage, "rmi", "-f", "localhost/bench"]);
      outputOf("buildah", [...storage, "rmi", "--prune", "-f"]);
      // Layers of the cache that no image holds any more.
      const left = (outputOf("buildah", [...storage, "images", "-a", "--format", "{{.ID}} {{.Name}}"]) ?? "").split(
        "\n",
      );
      for (const line of left.filter((line) => line !== "" && !line.endsWith("/base")))
        outputOf("buildah", [...storage, "rmi", "-f", line.split(" ")[0]]);
    },
    command: ({ context, archive }) =>
      archive !== null
        ? null
        : { args: ["buildah", ...storage, "bud", "--layers", "--isolation", "chroot", "-t", "bench", context] },
    memoryCounts: true,
  };
}

/** The builders of this machine, tsbuild first; `names` null is all of them. */
export function findBuilders(work, names) {
  const makers = { tsbuild, BuildKit: buildkit, "BuildKit-uncompressed": buildkitUncompressed, docker, buildah };
  return Object.entries(makers)
    .filter(([name]) => name === "tsbuild" || names === null || names.includes(name.toLowerCase()))
    .map(([, make]) => make(work))
    .filter((builder) => builder !== null);
}
