import { formatPlatform, type Platform } from "../image/platform.ts";

/** The short form BuildKit compares context names in: without the default registry, folder and tag. */
const shortName = (name: string): string =>
  name
    .replace(/^(?:index\.)?docker\.io\//, "")
    .replace(/^library\//, "")
    .replace(/:latest$/, "");

/** The named contexts of a build, found by the names a Dockerfile uses for stages and images. */
export class ContextNames {
  readonly #written: ReadonlyMap<string, string>;

  /** `names` as the user wrote them: `name` or `name::os/arch`. */
  constructor(names: readonly string[]) {
    this.#written = new Map(
      names.map((name) => {
        const [plain = "", platform] = name.split("::", 2);
        return [platform === undefined ? shortName(plain) : `${shortName(plain)}::${platform}`, name];
      }),
    );
  }

  /** The context that stands for `name` on `platform`, as the user wrote it; null when there is none. */
  find(name: string, platform: Platform): string | null {
    if (this.#written.size === 0 || /^(?:scratch|context)$/i.test(name)) return null;
    const short = shortName(name);
    return this.#written.get(`${short}::${formatPlatform(platform)}`) ?? this.#written.get(short) ?? null;
  }
}
