import { hexOf } from "../base/digest.ts";
import { BuildError } from "../base/errors.ts";
import { referenceOf } from "../engine/find-images.ts";
import { formatReference } from "../image/reference.ts";
import type { StoredContainer } from "../store/container-store.ts";
import { exitCodeOfContainer, stateOf } from "./container-status.ts";

type Fits = (container: StoredContainer) => boolean;

const filters: Readonly<Record<string, (value: string) => Fits>> = {
  id:
    (value) =>
    ({ id }) =>
      id.startsWith(value),
  name:
    (value) =>
    ({ name }) =>
      name.includes(value.replace(/^\//, "")),
  status: (value) => {
    if (!["created", "running", "exited"].includes(value))
      throw invalid(`status=${value}`, "unknown status", "a container is created, running or exited");
    return (container) => stateOf(container) === value;
  },
  exited: (value) => {
    if (!/^\d{1,3}$/.test(value)) throw invalid(`exited=${value}`, "want an exit code");
    return (container) => stateOf(container) === "exited" && exitCodeOfContainer(container) === Number(value);
  },
  ancestor: (value) => {
    const reference = referenceOf(value);
    const name = reference === null ? null : formatReference(reference);
    const prefix = value.replace(/^sha256:/, "");
    return ({ image, imageId }) => {
      const own = referenceOf(image);
      return (
        (own !== null && formatReference(own) === name) ||
        (/^[0-9a-f]{4,64}$/.test(prefix) && hexOf(imageId).startsWith(prefix))
      );
    };
  },
};

const invalid = (flag: string, problem: string, hint?: string): BuildError =>
  new BuildError("USAGE_INVALID", `--filter ${JSON.stringify(flag)}: ${problem}`, { hint });

/** Reads `--filter name=value` flags: a container must fit each name, of several values of one any. Throws USAGE_INVALID. */
export function parseContainerFilters(flags: readonly string[]): Fits {
  const byName = new Map<string, Fits[]>();
  for (const flag of flags) {
    const [name = ""] = flag.split("=", 1);
    const filter = Object.hasOwn(filters, name) ? filters[name] : undefined;
    if (filter === undefined || !flag.includes("="))
      throw invalid(
        flag,
        filter === undefined ? "unknown filter" : "want name=value",
        `filters are ${Object.keys(filters).join(", ")}`,
      );
    byName.set(name, [...(byName.get(name) ?? []), filter(flag.slice(name.length + 1))]);
  }
  return (container) => [...byName.values()].every((alternatives) => alternatives.some((fits) => fits(container)));
}
