import type { LayerLocation } from "../layer/layer-location.ts";

/** A line of a .dockerignore that applies. */
export interface IgnorePattern {
  readonly pattern: string;
  /** Counted from 1. */
  readonly line: number;
}

/** A directory of this machine as a build context: owners read as 0:0, sockets as empty files, ignored files are absent. */
export interface DirectorySpec {
  readonly kind: "directory";
  /** Absolute path. */
  readonly root: string;
  readonly ignore: readonly IgnorePattern[];
  /** Path of the .dockerignore for messages; null when there is none. */
  readonly ignoreFile: string | null;
  /** File of the stat cache of this directory; null for none. */
  readonly statCache: string | null;
}

/** A stack of layers, lowest first; no layers is an empty tree. */
export interface LayersSpec {
  readonly kind: "layers";
  readonly layers: readonly LayerLocation[];
}

/** A FileTree as plain data: a worker thread opens it with `openTree`. */
export type TreeSpec = DirectorySpec | LayersSpec;
