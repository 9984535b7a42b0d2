import { createHash } from "node:crypto";
import { type BigIntStats, closeSync, fstatSync, lstatSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { type Digest, digestFromHex, digestOf } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { compareNames, decodeName, encodeName } from "../base/file-name.ts";
import type { Entry } from "../layer/entry.ts";
import { readerOf } from "../layer/file-readers.ts";
import type { FileReader, FileTree } from "../layer/file-tree.ts";
import { baseNameOf, childPath, parentOf } from "../layer/path-order.ts";
import { hasErrno } from "../sys/system-error.ts";
import { equalFacts, factCount, factsOf } from "./file-facts.ts";
import { GuardedRoot, reasonOf } from "./guarded-root.ts";
import { hostEntry, isSocket, shapeOf } from "./host-entry.ts";
import {
  type FlatListing,
  filterListing,
  flattenListing,
  type Listing,
  ListingBuilder,
  nothing,
  unflattenListing,
} from "./listing.ts";
import { compilePatterns, type PatternMatcher, type PatternVerdict } from "./pattern-matcher.ts";
import { isSettled, loadStatCache, type StatCache, StatCacheRecorder, type StatCacheRows } from "./stat-cache.ts";
import type { DirectorySpec } from "./tree-spec.ts";

/** A build context on this machine, and what reading it took. */
export interface DirectoryTree extends FileTree {
  /** Files opened so far, and bytes read from them. */
  readonly filesRead: number;
  readonly bytesRead: number;
  /** Digests found out so far that `mergeStatCache` may remember. */
  newDigests(): StatCacheRows;
  /** What was found so far; null when a file was seen twice and was not the same. */
  found(): FoundTree | null;
}

/** What a tree has found of its directory, for a tree in another thread that shows the same. */
export interface FoundTree {
  /** By path. */
  readonly directories: readonly (readonly [string, FlatListing])[];
  /** Files looked at alone, by path; null for what is not there. */
  readonly alone: readonly (readonly [string, FlatListing | null])[];
  /** Digests that were computed, by path; none unless all are settled. */
  readonly digests: readonly (readonly [string, Digest])[];
  /** Whether each digest holds as long as the facts of its file stay the same. */
  readonly isSettled: boolean;
}

/**
 * Opens a directory as a tree: names as bytes, owners 0:0, no xattrs, sockets as empty files. What is ignored is absent,
 * but folders that hold something an exception keeps are there. A directory is read once and remembered, so a tree
 * is a view of one moment and serves one build. `nowNs` is the clock, in nanoseconds since the epoch.
 * Throws CONTEXT_NOT_FOUND when the root is no directory; later CONTEXT_INVALID for what cannot be read.
 */
export function openDirectoryTree(spec: DirectorySpec, nowNs: () => bigint = systemClock): DirectoryTree {
  return new HostDirectoryTree(spec, nowNs, Number.POSITIVE_INFINITY, null);
}

/** As `openDirectoryTree`, but shows what an earlier tree of `spec` has found; only the rest is looked for. */
export function openFoundDirectoryTree(spec: DirectorySpec, found: FoundTree): DirectoryTree {
  return new HostDirectoryTree(spec, systemClock, Number.POSITIVE_INFINITY, found);
}

/**
 * As `openDirectoryTree`, but no more than `readableBytes` are read for digests that the stat cache does not know: then
 * UnknownDigest is thrown.
 */
export function openKnownDirectoryTree(spec: DirectorySpec, readableBytes: number): DirectoryTree {
  return new HostDirectoryTree(spec, systemClock, readableBytes, null);
}

/** More must be read than may be. */
export class UnknownDigest extends Error {}

const systemClock = (): bigint => BigInt(Date.now()) * 1_000_000n;

/** Where an entry stands. */
interface Place {
  readonly listing: Listing;
  readonly at: number;
}

const bufferBytes = 1 << 20;
const replacementCharacter = "\ufffd";

class HostDirectoryTree implements DirectoryTree {
  readonly #root: GuardedRoot;
  readonly #rootEntry: Entry;
  readonly #patterns: PatternMatcher | null;
  readonly #statCacheFile: string | null;
  readonly #nowNs: () => bigint;
  readonly #readableBytes: number;
  readonly #listings = new Map<string, Listing>();
  /** Directories another tree has read, as long as nobody has asked for them here. */
  readonly #found: Map<string, FlatListing>;
  readonly #digests: Map<string, Digest>;
  readonly #recorder = new StatCacheRecorder();
  /** Entries that were asked for before the directory they are in was read. */
  readonly #single: Map<string, Place | null>;
  /** Where what was asked for last stands: most often it is the one before the next. */
  #last: Place = { listing: nothing, at: 0 };
  #statCache: StatCache | null = null;
  #buffer: Buffer | null = null;
  /** What was asked for last, which most often is asked for again. */
  #lastEntry: Entry | null = null;
  #lastFacts: BigInt64Array | null = null;
  #isSettled = true;
  filesRead = 0;
  bytesRead = 0;

  constructor(spec: DirectorySpec, nowNs: () => bigint, readableBytes: number, found: FoundTree | null) {
    this.#root = new GuardedRoot(spec.root);
    const stat = lstatSync(this.#root.realPath(""), { bigint: true });
    this.#rootEntry = hostEntry("", shapeOf(stat), factsOf(stat), 0, null, null);
    this.#found = new Map(found?.directories);
    this.#digests = new Map(found?.digests);
    this.#single = new Map(found?.alone.map(([path, flat]) => [path, flat === null ? null : placeAlone(path, flat)]));
    this.#patterns = spec.ignore.length === 0 ? null : compilePatterns(spec.ignore.map(({ pattern }) => pattern));
    this.#statCacheFile = spec.statCache;
    this.#nowNs = nowNs;
    this.#readableBytes = readableBytes;
  }

  lstat(path: string): Entry | null {
    if (path === "") return this.#rootEntry;
    const found = this.#findAlone(path);
    return found === null ? null : (found.listing.entries[found.at] as Entry);
  }

  list(path: string): readonly Entry[] {
    return this.#listing(path).entries;
  }

  open(entry: Entry): FileReader {
    const facts = this.#factsOf(entry);
    return facts === null ? readerOf(new Uint8Array(0)) : this.#openFile(entry, facts);
  }

  digest(entry: Entry): Digest {
    const known = this.knownDigest(entry);
    if (known !== null) return known;
    const digest = this.#computeDigest(entry, this.#factsOf(entry) as BigInt64Array);
    this.#digests.set(entry.path, digest);
    return digest;
  }

  knownDigest(entry: Entry): Digest | null {
    const known = this.#digests.size === 0 ? undefined : this.#digests.get(entry.path);
    if (known !== undefined) return known;
    const facts = this.#factsOf(entry);
    return facts === null ? digestOf("") : this.#cached(facts);
  }

  tarRange(): null {
    return null;
  }

  noteDigest(entry: Entry, digest: Digest): void {
    const facts = this.#factsOf(entry);
    if (facts === null || this.knownDigest(entry) !== null) return;
    this.#digests.set(entry.path, digest);
    this.#record(facts, digest);
  }

  newDigests(): StatCacheRows {
    return this.#recorder.rows();
  }

  found(): FoundTree | null {
    for (const [path, place] of this.#single)
      if (this.#listings.has(parentOf(path)) && !isSamePlace(place, this.#find(path))) return null;
    return {
      directories: [...this.#listings].map(([path, listing]) => [path, flattenListing(listing)]),
      alone: [...this.#single].map(([path, place]) => [path, place === null ? null : flattenListing(place.listing)]),
      digests: this.#isSettled ? [...this.#digests] : [],
      isSettled: this.#isSettled,
    };
  }

  #cached(facts: BigInt64Array): Digest | null {
    if (this.#statCacheFile === null) return null;
    this.#statCache ??= loadStatCache(this.#statCacheFile);
    return this.#statCache.find(facts);
  }

  #computeDigest(entry: Entry, facts: BigInt64Array): Digest {
    if (this.bytesRead + entry.size > this.#readableBytes) throw new UnknownDigest();
    this.#buffer ??= Buffer.allocUnsafeSlow(bufferBytes);
    const hash = createHash("sha256");
    const reader = this.#openFile(entry, facts);
    try {
      for (let got = reader.read(this.#buffer); got > 0; got = reader.read(this.#buffer))
        hash.update(this.#buffer.subarray(0, got));
    } finally {
      reader.close();
    }
    const digest = digestFromHex(hash.digest("hex"));
    this.#record(facts, digest);
    return digest;
  }

  #record(facts: BigInt64Array, digest: Digest): void {
    const now = this.#nowNs();
    if (isSettled(facts, now)) this.#recorder.add(facts, digest, now);
    else this.#isSettled = false;
  }

  /** Reads exactly what the directory showed: anything else that is there, or comes while reading, is an error. */
  #openFile(entry: Entry, facts: BigInt64Array): FileReader {
    const fd = this.#root.openListedFile(entry.path);
    if (fd === null) throw changed(entry, "it was removed or replaced");
    const check = (): void => {
      if (!equalFacts(facts, factsOf(fstatSync(fd, { bigint: true })))) throw changed(entry, "it was written to");
    };
    try {
      check();
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.filesRead += 1;
    let left = entry.size;
    let isChecked = false;
    return {
      read: (into) => {
        if (left === 0) {
          if (!isChecked) check();
          isChecked = true;
          return 0;
        }
        const got = readSync(fd, into, 0, Math.min(into.length, left), null);
        if (got === 0) throw changed(entry, "it became shorter");
        left -= got;
        this.bytesRead += got;
        return got;
      },
      close: () => closeSync(fd),
    };
  }

  /** The facts of the regular file `entry`; null for a socket, which has no content. */
  #factsOf(entry: Entry): BigInt64Array | null {
    if (entry === this.#lastEntry) return this.#lastFacts;
    const found = this.#placeOf(entry);
    const shown = found?.listing.entries[found.at];
    if (found === null || shown?.type !== "file" || shown.size !== entry.size)
      throw changed(entry, "it is no such file of this context");
    this.#last = found;
    this.#lastEntry = entry;
    this.#lastFacts = isSocket(found.listing.shapes[found.at] as number) ? null : factsAt(found);
    return this.#lastFacts;
  }

  #placeOf(entry: Entry): Place | null {
    const { listing, at } = this.#last;
    if (listing.entries[at] === entry) return this.#last;
    if (listing.entries[at + 1] === entry) return { listing, at: at + 1 };
    return this.#single.get(entry.path) ?? this.#find(entry.path);
  }

  /** As `#find`, without reading all of the directory it is in if nobody has yet. */
  #findAlone(path: string): Place | null {
    if (this.#patterns !== null || this.#known(parentOf(path)) !== undefined) return this.#find(path);
    const known = this.#single.get(path);
    if (known !== undefined) return known;
    const found = this.#lookAtOne(path);
    this.#single.set(path, found);
    return found;
  }

  #lookAtOne(path: string): Place | null {
    const [parent, name] = [parentOf(path), baseNameOf(path)];
    const fd = childPath(parent, name) === path ? this.#root.openDirectory(parent) : null;
    if (fd === null) return null;
    try {
      const directory = this.#root.pathOf(fd, parent);
      // Only the names know: ".." is none, and there are file systems that find "DOCKERFILE" too.
      if (!namesIn(directory).names.includes(name)) return null;
      const alone = new ListingBuilder(1);
      const seen = lookAt(directory, name, encodeName(name), path);
      if (seen === null) return null;
      alone.add(path, seen.stat, seen.target, null);
      return { listing: alone.listing(), at: 0 };
    } finally {
      closeSync(fd);
    }
  }

  #find(path: string): Place | null {
    const listing = this.#listing(parentOf(path));
    const name = baseNameOf(path);
    let low = 0;
    let high = listing.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareNames(baseNameOf((listing.entries[middle] as Entry).path), name) < 0) low = middle + 1;
      else high = middle;
    }
    return listing.entries[low]?.path === path ? { listing, at: low } : null;
  }

  #listing(path: string): Listing {
    const known = this.#known(path);
    if (known !== undefined) return known;
    const found = path === "" ? null : this.#find(path);
    const isDirectory = path === "" || found?.listing.entries[found.at]?.type === "directory";
    // Finding it may have read it: to see whether it is shown at all.
    const already = this.#listings.get(path);
    if (already !== undefined) return already;
    const verdict = found?.listing.verdicts?.[found.at] ?? this.#verdictOn(path);
    const listing = isDirectory ? this.#read(path, verdict) : nothing;
    this.#listings.set(path, listing);
    return listing;
  }

  #known(path: string): Listing | undefined {
    const flat = this.#found.get(path);
    if (flat === undefined) return this.#listings.get(path);
    const listing = unflattenListing(path, flat);
    this.#found.delete(path);
    this.#listings.set(path, listing);
    return listing;
  }

  #verdictOn(path: string): PatternVerdict | null {
    if (this.#patterns === null || path === "") return null;
    return this.#patterns.decide(path, this.#verdictOn(parentOf(path)));
  }

  #read(path: string, verdict: PatternVerdict | null): Listing {
    const listing = this.#lookInto(path, verdict);
    return this.#patterns === null
      ? listing
      : filterListing(listing, (entry, verdict) => verdict?.matched !== true || this.#hasKept(entry, verdict));
  }

  /** Whether something below an excluded directory is kept by an exception. */
  #hasKept({ path }: Entry, verdict: PatternVerdict): boolean {
    const listing = this.#read(path, verdict);
    this.#listings.set(path, listing);
    return listing.entries.length > 0;
  }

  /** The files in directory `path` that are not ignored, and the folders that need a closer look, sorted by name. */
  #lookInto(path: string, verdict: PatternVerdict | null): Listing {
    const fd = this.#root.openDirectory(path);
    if (fd === null) return nothing;
    try {
      const directory = this.#root.pathOf(fd, path);
      const { names, areUtf8 } = namesIn(directory);
      const children = new ListingBuilder(names.length);
      for (const name of names) {
        const below = childPath(path, name);
        const childVerdict = this.#patterns?.decide(below, verdict) ?? null;
        const isExcluded = childVerdict?.matched === true;
        if (isExcluded && !this.#patterns?.mayKeepBelow(below)) continue;
        const seen = lookAt(directory, name, areUtf8 ? null : encodeName(name), below);
        if (seen !== null && (!isExcluded || seen.stat.isDirectory()))
          children.add(below, seen.stat, seen.target, childVerdict);
      }
      return children.listing();
    } finally {
      closeSync(fd);
    }
  }
}

const placeAlone = (path: string, flat: FlatListing): Place => ({
  listing: unflattenListing(parentOf(path), flat),
  at: 0,
});

const isSamePlace = (a: Place | null, b: Place | null): boolean =>
  a === null || b === null
    ? a === b
    : a.listing.shapes[a.at] === b.listing.shapes[b.at] && equalFacts(factsAt(a), factsAt(b));

const factsAt = ({ listing, at }: Place): BigInt64Array => listing.facts.subarray(at * factCount, (at + 1) * factCount);

interface Names {
  readonly names: readonly string[];
  readonly areUtf8: boolean;
}

/** The names in a directory in byte order; node's strings are good unless a name is not UTF-8. */
function namesIn(directory: string | Buffer): Names {
  const names = readdirSync(directory, "utf8");
  if (names.every((name) => ascii.test(name))) return { names: names.sort(), areUtf8: true };
  const areUtf8 = !names.some((name) => name.includes(replacementCharacter));
  const decoded = areUtf8 ? names : readdirSync(directory, "buffer").map(decodeName);
  return { names: decoded.sort(compareNames), areUtf8 };
}

const ascii = /^[\0-\x7f]*$/;

interface Seen {
  readonly stat: BigIntStats;
  /** Of a link. */
  readonly target: string | null;
}

/** What `name` is, of which `bytes` are the bytes unless it is UTF-8; null when it is not there, or not any more. */
function lookAt(directory: string | Buffer, name: string, bytes: Buffer | null, path: string): Seen | null {
  const at =
    typeof directory === "string" && bytes === null
      ? `${directory}/${name}`
      : Buffer.concat([Buffer.from(directory), slash, bytes ?? Buffer.from(name)]);
  try {
    const stat = lstatSync(at, { bigint: true });
    return {
      stat,
      target: stat.isSymbolicLink() ? decodeName(readlinkSync(at, "buffer") as unknown as Buffer) : null,
    };
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EINVAL")) return null;
    throw new BuildError("CONTEXT_INVALID", `build context: ${JSON.stringify(path)}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

const slash = Buffer.from("/");

const changed = (entry: Entry, how: string): BuildError =>
  new BuildError(
    "CONTEXT_FILE_CHANGED",
    `context file ${JSON.stringify(entry.path)} changed during the build: ${how}`,
    {
      hint: "build again when nothing writes to the build context",
    },
  );
