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

/** tsbuild, from this repository's `dist/`, on one Node. Each cold build gets a new store. */
function tsbuildOn(node, name, work) {
  const root = join(work, name.replaceAll(/[^\w.]+/g, "-"));
  return {
    name,
    isPeer: false,
    version: `${must(node, [tsbuildProgram, "--version"])} on Node ${must(node, ["-p", "process.versions.node"])}`,
    forget: () => rmSync(root, { recursive: true, force: true }),
    command: ({ context, file, usesBase, archive, squash }) => ({
      args: [
        ...[node, tsbuildProgram, "build", "--root", root, "-t", "bench", "-f", join(context, file)],
        ...(usesBase ? ["--build-context", `base=oci-layout://${baseLayout}`] : []),
        ...(archive === null ? [] : ["-o", `type=${archive.type},dest=${archive.path}`]),
        ...(squash ? ["--squash=new"] : []),
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
const buildkit = () => buildkitWith("BuildKit", "", ({ squash }) => !squash);
const buildkitUncompressed = () =>
  buildkitWith(
    "BuildKit, uncompressed",
    ",compression=uncompressed",
    // Both share a cache, so only what is built from nothing tells them apart.
    ({ isCold, usesBase, pulls, archive }) => isCold && !usesBase && !pulls && archive === null,
  );

function buildkitWith(name, imageOptions, isAble) {
  const version = process.env.BUILDKIT_HOST === undefined ? null : outputOf("buildctl", ["debug", "workers"]);
  if (version === null) return null;
  const digest = JSON.parse(must("cat", [join(baseLayout, "index.json")])).manifests[0].digest;
  return {
    name,
    isPeer: true,
    version: outputOf("buildkitd", ["--version"]) ?? "",
    forget: () => must("buildctl", ["prune", "--all"]),
    command(request) {
      const { context, file, usesBase, archive } = request;
      if (!isAble(request)) return null;
      const base = ["--opt", `context:base=oci-layout://base@${digest}`, "--oci-layout", `base=${baseLayout}`];
      return {
        args: [
          ...["buildctl", "build", "--frontend", "dockerfile.v0", "--local", `context=${context}`],
          ...["--local", `dockerfile=${context}`, "--opt", `filename=${file}`, "--output"],
          archive === null
            ? `type=image,name=bench${imageOptions}`
            : `type=${archive.type},name=bench,dest=${archive.path}`,
          ...(usesBase ? base : []),
        ],
      };
    },
    memoryCounts: false,
  };
}

/** The first docker of the PATH that can use the BuildKit of its daemon: part of it before version 23, later a plugin. */
function dockerProgram() {
  const programs = (process.env.PATH ?? "").split(":").map((directory) => join(directory, "docker"));
  return programs.find((program) => {
    const version = outputOf(program, ["version", "-f", "{{.Client.Version}}"]);
    return version !== null && (parseInt(version, 10) < 23 || outputOf(program, ["buildx", "version"]) !== null);
  });
}

/** Docker with BuildKit in its daemon, at DOCKER_HOST. Images and their cache are removed for cold builds. */
function docker(work) {
  const program = process.env.DOCKER_HOST === undefined ? undefined : dockerProgram();
  if (program === undefined) return null;
  const archive = join(work, "base-docker.tar");
  rmSync(archive, { force: true });
  must(process.execPath, [
    ...[tsbuildProgram, "build", "--root", join(work, "base-store"), "-t", "base:latest"],
    ...["--build-context", `base=oci-layout://${baseLayout}`, "-o", `type=docker,dest=${archive}`],
    aliasOfBase(work),
  ]);
  must(program, ["load", "-i", archive]);
  return {
    name: "docker",
    isPeer: true,
    version: `${must(program, ["version", "-f", "{{.Server.Version}}"])}, DOCKER_BUILDKIT=1`,
    forget() {
      const images = must(program, ["images", "--format", "{{.ID}} {{.Repository}}"]).split("\n");
      const doomed = images.filter((line) => line !== "" && !line.endsWith(" base")).map((line) => line.split(" ")[0]);
      if (doomed.length > 0) outputOf(program, ["rmi", "-f", ...doomed]);
      must(program, ["image", "prune", "-f"]);
      must(program, ["builder", "prune", "-af"]);
    },
    command: ({ context, file, archive, squash }) =>
      archive === null && !squash
        ? { args: [program, "build", "-t", "bench", "-f", join(context, file), context], env: { DOCKER_BUILDKIT: "1" } }
        : null,
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
    isPeer: true,
    version,
    forget() {
      // Layers of the cache are images as well.
      const images = must("buildah", [...storage, "images", "-a", "--format", "{{.ID}} {{.Name}}"]).split("\n");
      const doomed = images.filter((line) => line !== "" && !line.endsWith("/base")).map((line) => line.split(" ")[0]);
      if (doomed.length > 0) outputOf("buildah", [...storage, "rmi", "-f", ...doomed]);
      outputOf("buildah", [...storage, "rmi", "--prune", "-f"]);
    },
    command: ({ context, file, archive, squash }) =>
      archive !== null
        ? null
        : {
            args: [
              ...["buildah", ...storage, "bud", squash ? "--squash" : "--layers", "--tls-verify=false", "-t", "bench"],
              ...["-f", join(context, file), context],
            ],
          },
    memoryCounts: true,
  };
}

/**
 * The builders of this machine: tsbuild on this Node, on those of `nodes` (paths of programs), and its peers; `names` null is
 * all of them.
 */
export function findBuilders(work, nodes, names) {
  const makers = { BuildKit: buildkit, "BuildKit-uncompressed": buildkitUncompressed, docker, buildah };
  const peers = Object.entries(makers)
    .filter(([name]) => names === null || names.includes(name.toLowerCase()))
    .map(([, make]) => make(work))
    .filter((builder) => builder !== null);
  const others = nodes.map((node) =>
    tsbuildOn(node, `tsbuild, Node ${must(node, ["-p", "process.versions.node"])}`, work),
  );
  return [tsbuildOn(process.execPath, "tsbuild", work), ...others, ...peers];
}
