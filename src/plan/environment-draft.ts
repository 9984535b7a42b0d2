/**
 * The environment of a stage while it is planned: ENV and ARG. In order of the last assignment, since that order is
 * what processes and cache keys see.
 */
export class EnvironmentDraft {
  /** May be shared with a fork; copied before the first change then. */
  #values = new Map<string, string>();
  #isShared = false;
  #list: readonly string[] | null = null;

  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  set(name: string, value: string): void {
    if (this.#isShared) {
      this.#values = new Map(this.#values);
      this.#isShared = false;
    }
    this.#values.delete(name);
    this.#values.set(name, value);
    this.#list = null;
  }

  /** Assigns all of `entries`, each `NAME=value`, in order. */
  setAll(entries: readonly string[]): void {
    const assigned = new Map<string, string>();
    for (const entry of entries) {
      const at = entry.indexOf("=");
      assigned.set(at === -1 ? entry : entry.slice(0, at), at === -1 ? "" : entry.slice(at + 1));
    }
    const kept = [...this.#values].filter(([name]) => !assigned.has(name));
    this.#values = kept.length === 0 ? assigned : new Map([...kept, ...assigned]);
    this.#isShared = false;
    this.#list = null;
  }

  names(): readonly string[] {
    return [...this.#values.keys()];
  }

  /** `NAME=value` in order. The same array until the next assignment, so that steps share it. */
  toList(): readonly string[] {
    this.#list ??= [...this.#values].map(([name, value]) => `${name}=${value}`);
    return this.#list;
  }

  fork(): EnvironmentDraft {
    const child = new EnvironmentDraft();
    child.#values = this.#values;
    child.#isShared = true;
    this.#isShared = true;
    return child;
  }
}
