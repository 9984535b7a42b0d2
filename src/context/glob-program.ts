import { classContains, codePointsOf, type GlobClass } from "./glob-class.ts";

/** One step of a pattern that may cross folders. */
export type GlobToken =
  | { readonly kind: "char"; readonly char: number }
  /** One character but "/". */
  | { readonly kind: "any" }
  | { readonly kind: "class"; readonly value: GlobClass }
  /** Any characters but "/". */
  | { readonly kind: "star" }
  /** Any characters. */
  | { readonly kind: "rest" }
  /** Nothing, or anything that ends in "/". */
  | { readonly kind: "folders" };

/**
 * Runs a pattern over a path by following all ways to match at once, so that no pattern takes more time than its
 * length times the path's length, whatever it looks like.
 */
export class GlobProgram {
  readonly #tokens: readonly GlobToken[];
  readonly #minimumLength: number;
  #places: PlaceSet;
  #following: PlaceSet;

  constructor(tokens: readonly GlobToken[]) {
    this.#tokens = tokens.filter((token, at) => !isRepetition(token, tokens[at - 1]));
    this.#minimumLength = this.#tokens.filter(({ kind }) => !mayBeEmpty(kind)).length;
    this.#places = new PlaceSet(2 * this.#tokens.length + 1);
    this.#following = new PlaceSet(2 * this.#tokens.length + 1);
  }

  matches(path: string): boolean {
    if (this.#minimumLength > path.length) return false;
    this.#places.clear();
    this.#enter(0, this.#places);
    for (const char of codePointsOf(path)) {
      const next = this.#following;
      next.clear();
      this.#advance(char, next);
      this.#following = this.#places;
      this.#places = next;
      if (next.count === 0) return false;
    }
    return this.#places.has(2 * this.#tokens.length);
  }

  /** Stands before token `index`, and before those after it that can be passed without a character. */
  #enter(index: number, places: PlaceSet): void {
    for (let at = index; places.add(2 * at); at += 1) {
      const token = this.#tokens[at];
      if (token === undefined || !mayBeEmpty(token.kind)) return;
    }
  }

  /** Puts into `next` where the places lead with one character more. */
  #advance(char: number, next: PlaceSet): void {
    for (let at = 0; at < this.#places.count; at += 1) {
      const index = this.#places.at(at) >> 1;
      const token = this.#tokens[index];
      if (token === undefined) continue;
      if (token.kind === "char") {
        if (token.char === char) this.#enter(index + 1, next);
      } else if (token.kind === "star") {
        if (char !== slash) this.#enter(index, next);
      } else if (token.kind === "any") {
        if (char !== slash) this.#enter(index + 1, next);
      } else if (token.kind === "class") {
        if (classContains(token.value, char)) this.#enter(index + 1, next);
      } else if (token.kind === "rest") {
        this.#enter(index, next);
      } else {
        next.add(2 * index + 1);
        if (char === slash) this.#enter(index + 1, next);
      }
    }
  }
}

const slash = 0x2f;

const mayBeEmpty = (kind: GlobToken["kind"]): boolean => kind === "star" || kind === "rest" || kind === "folders";

const isRepetition = (token: GlobToken, before: GlobToken | undefined): boolean =>
  mayBeEmpty(token.kind) && token.kind === before?.kind;

/** Places in a pattern where a match may stand: 2i is before token i, 2i+1 is inside the folders of token i. */
class PlaceSet {
  readonly #members: Int32Array;
  /** For each place, the round in which it was last added. */
  readonly #addedIn: Int32Array;
  #round = 1;
  count = 0;

  constructor(size: number) {
    this.#members = new Int32Array(size);
    this.#addedIn = new Int32Array(size);
  }

  clear(): void {
    this.count = 0;
    this.#round += 1;
    if (this.#round < 0x7fffffff) return;
    this.#addedIn.fill(0);
    this.#round = 1;
  }

  has(place: number): boolean {
    return this.#addedIn[place] === this.#round;
  }

  at(index: number): number {
    return this.#members[index] as number;
  }

  /** Whether it was not there before. */
  add(place: number): boolean {
    if (this.#addedIn[place] === this.#round) return false;
    this.#addedIn[place] = this.#round;
    this.#members[this.count] = place;
    this.count += 1;
    return true;
  }
}
