import { createHash } from "node:crypto";
import { asDiffId, type DiffId, digestFromHex } from "../base/digest.ts";
import { BuildError, isBuildError } from "../base/errors.ts";
import { decodeName } from "../base/file-name.ts";
import type { LayerRow } from "./entry.ts";
import { isBehind } from "./layer-index-writer.ts";
import { LayerTarReader } from "./layer-tar-reader.ts";
import { cleanMemberName } from "./member-path.ts";
import { baseNameOf, childPath, parentOf } from "./path-order.ts";
import type { TarLimits, TarMember } from "./tar-member.ts";
import { TarSplitter } from "./tar-splitter.ts";
import { opaqueName, whiteoutPrefix } from "./whiteout-name.ts";

/** What is wrong with a layer's tar. */
export interface TarProblem {
  readonly code: "TAR_FORMAT" | "TAR_NAME" | "TAR_ORDER" | "TAR_DUPLICATE" | "TAR_MARK";
  readonly message: string;
}

/** As many are told; a tar that breaks one rule mostly breaks it everywhere. */
const mostProblems = 20;

/**
 * Reads the tar of a layer chunk by chunk and finds out what is wrong with it. With `isStrict` it is held to what a
 * LayerWriter writes: sorted, each path once, each directory before its content, names without detours.
 */
export class LayerTarCheck {
  readonly problems: TarProblem[] = [];
  readonly #isStrict: boolean;
  readonly #limits: TarLimits;
  readonly #reader: LayerTarReader;
  readonly #splitter: TarSplitter;
  readonly #hash = createHash("sha256");
  #sizeBytes = 0;
  /** Nothing behind a broken header can be understood; its bytes still count for the diffID. */
  #isBroken = false;
  #last: Pick<LayerRow, "path" | "type"> | null = null;

  constructor(isStrict: boolean, limits: TarLimits) {
    this.#isStrict = isStrict;
    this.#limits = limits;
    const reader = new LayerTarReader(null, limits.maxMembers);
    this.#reader = reader;
    this.#splitter = new TarSplitter(limits, {
      member: (member) => {
        this.#checkMember(member);
        reader.member(member);
      },
      content: (bytes) => reader.content(bytes),
      memberEnd: () => reader.memberEnd(),
    });
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Throws LAYER_TOO_LARGE: the rest need not be read. */
  take(chunk: Buffer): void {
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes > this.#limits.maxTarBytes)
      throw new BuildError("LAYER_TOO_LARGE", `layer is larger than ${this.#limits.maxTarBytes} bytes`);
    this.#hash.update(chunk);
    this.#attempt(() => this.#splitter.push(chunk));
  }

  /** All bytes have come: the diffID they have. */
  finish(): DiffId {
    this.#attempt(() => this.#splitter.end());
    return asDiffId(digestFromHex(this.#hash.digest("hex")));
  }

  /** What the tar means, row by row; null when it means nothing. */
  rows(): Iterable<LayerRow> | null {
    return this.#isBroken ? null : this.#reader.assembly.rows();
  }

  #attempt(work: () => void): void {
    if (this.#isBroken) return;
    try {
      work();
    } catch (error) {
      if (!isBuildError(error)) throw error;
      this.#isBroken = true;
      this.#add("TAR_FORMAT", error.message);
    }
  }

  #add(code: TarProblem["code"], message: string): void {
    if (this.problems.length < mostProblems) this.problems.push({ code, message });
  }

  #checkMember(member: TarMember): void {
    const name = decodeName(member.name);
    const shown = JSON.stringify(name.slice(0, 300));
    if (name.startsWith("/") || name.split("/").includes(".."))
      this.#add("TAR_NAME", `${shown} leads out of the layer`);
    if (!this.#isStrict) return;
    const path = cleanMemberName(member.name);
    if (name !== (member.type === "directory" ? `${path}/` : path)) this.#add("TAR_NAME", `${shown} is no plain path`);
    const row = rowOf(path, member);
    if (row.type !== member.type && (member.type !== "file" || member.size > 0))
      this.#add("TAR_MARK", `${shown} is a mark, but no empty file`);
    const last = this.#last;
    if (last !== null && !isBehind(last, row)) {
      const isTwice = last.path === row.path;
      this.#add(
        isTwice ? "TAR_DUPLICATE" : "TAR_ORDER",
        `${shown} comes ${isTwice ? "twice" : `behind ${JSON.stringify(last.path.slice(0, 300))}`}`,
      );
    }
    this.#last = row;
  }
}

/** The place of a member among the rows: that of a mark is what it is about. */
function rowOf(path: string, { type }: TarMember): Pick<LayerRow, "path" | "type"> {
  const name = baseNameOf(path);
  if (name === opaqueName) return { path: parentOf(path), type: "opaque" };
  if (!name.startsWith(whiteoutPrefix)) return { path, type };
  return { path: childPath(parentOf(path), name.slice(whiteoutPrefix.length)), type: "whiteout" };
}
