import { BuildError } from "../base/errors.ts";

const maxCharacters = 64 * 2 ** 20;

/**
 * Bounds the text that all variables of a Dockerfile together may turn into: each text is bounded by itself, but a small
 * file can ask for thousands of long ones.
 */
export class TextBudget {
  #spent = 0;

  /** Counts a text and returns it. Throws DOCKERFILE_TOO_LARGE. */
  count(text: string): string {
    this.#spent += text.length;
    if (this.#spent > maxCharacters)
      throw new BuildError(
        "DOCKERFILE_TOO_LARGE",
        `variables make this Dockerfile longer than ${maxCharacters} characters`,
      );
    return text;
  }
}
