import { endianness } from "node:os";
import { BuildError } from "../base/errors.ts";

/** OCI image-spec platform; `variant` and `osVersion` are "" when not given. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
  readonly osVersion: string;
}

const knownSystems: ReadonlySet<string> = new Set(
  "aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows".split(" "),
);
const knownArchitectures: ReadonlySet<string> = new Set(
  "386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x wasm".split(" "),
);
const word = "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}";
const component = new RegExp(`^${word}$`);
const systemWithVersion = new RegExp(`^(${word})(?:\\((${word})\\))?$`);

/** Whether a member of a platform is a word that is safe in file names and messages, or empty. */
export const isPlatformWord = (text: string): boolean => text === "" || component.test(text);

/**
 * Parses `os[(version)]/arch[/variant]`, `arch` or `os`, as docker takes them; what is missing is taken from this
 * machine. The result is normalised. Throws PLATFORM_UNSUPPORTED.
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  const [first = "", architecture, variant] = parts;
  const system = systemWithVersion.exec(first);
  if (system === null || parts.length > 3 || !parts.slice(1).every((part) => component.test(part))) throw invalid(text);
  const os = normalizeOs(system[1] ?? "");
  const osVersion = system[2] ?? "";
  if (architecture !== undefined) {
    return normalizePlatform({ os, architecture, variant: variant ?? "", osVersion });
  }
  if (knownSystems.has(os)) return { ...hostPlatform(), os, osVersion };
  const alone = normalizePlatform({ os: hostPlatform().os, architecture: first, variant: "", osVersion: "" });
  if (!knownArchitectures.has(alone.architecture)) throw invalid(text);
  return alone;
}

const invalid = (text: string): BuildError =>
  new BuildError(
    "PLATFORM_UNSUPPORTED",
    `platform ${JSON.stringify(text.slice(0, 100))}: want os/arch or os/arch/variant`,
    {
      hint: 'write it like "linux/amd64" or "linux/arm/v7"',
    },
  );

/** `os/arch[/variant]`, with the version as `os(version)` when there is one. */
export function formatPlatform(platform: Platform): string {
  const os = platform.osVersion === "" ? platform.os : `${platform.os}(${platform.osVersion})`;
  return [os, platform.architecture, platform.variant].filter((part) => part !== "").join("/");
}

/** The one spelling of a platform: x86_64 is amd64, arm64/v8 is arm64, arm is arm/v7 (containerd's rules). */
export function normalizePlatform(platform: Platform): Platform {
  const given = platform.architecture.toLowerCase();
  const variant = platform.variant.toLowerCase();
  const as = (architecture: string, normalized: string): Platform => ({
    os: normalizeOs(platform.os),
    architecture,
    variant: normalized,
    osVersion: platform.osVersion,
  });
  switch (given) {
    case "i386":
    case "386":
      return as("386", given === "386" ? variant : "");
    case "x86_64":
    case "x86-64":
    case "amd64":
      return as("amd64", variant === "v1" ? "" : variant);
    case "aarch64":
    case "arm64":
      return as("arm64", /^v?8(\.0)?$/.test(variant) ? "" : withV(variant).replace(/\.0$/, ""));
    case "armhf":
      return as("arm", "v7");
    case "armel":
      return as("arm", "v6");
    case "arm":
      return as("arm", variant === "" ? "v7" : withV(variant));
    default:
      return as(given, variant);
  }
}

const withV = (variant: string): string => (/^[0-9]/.test(variant) ? `v${variant}` : variant);

function normalizeOs(os: string): string {
  const lower = os.toLowerCase();
  return lower === "macos" ? "darwin" : lower;
}

/** The platform images are built for when none is asked for: Linux on the processor of this machine. */
export function hostPlatform(): Platform {
  return normalizePlatform({ os: "linux", architecture: hostArchitecture(), variant: hostVariant(), osVersion: "" });
}

function hostArchitecture(): string {
  const little = endianness() === "LE" ? "le" : "";
  const spelling: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: `ppc64${little}` };
  return spelling[process.arch] ?? process.arch;
}

function hostVariant(): string {
  if (process.arch !== "arm") return "";
  const version: unknown = Reflect.get(process.config.variables, "arm_version");
  return typeof version === "string" && version !== "" ? `v${version}` : "";
}

/** Platforms whose images run on `wanted`, best first: itself, older variants, the 32-bit sibling (containerd's `Only`). */
export function compatiblePlatforms(wanted: Platform): readonly Platform[] {
  const self = normalizePlatform(wanted);
  const older = (architecture: string, from: number, to: number): Platform[] =>
    Array.from({ length: Math.max(0, from - to + 1) }, (_, step) =>
      normalizePlatform({ ...self, architecture, variant: `v${from - step}` }),
    );
  const version = Number(/^v([0-9]{1,2})/.exec(self.variant)?.[1] ?? 0);
  switch (self.architecture) {
    case "amd64":
      return [self, ...older("amd64", version - 1, 1), { ...self, architecture: "386", variant: "" }];
    case "arm":
      return [self, ...older("arm", version - 1, 5)];
    case "arm64":
      return [self, ...(self.variant === "" ? [] : [{ ...self, variant: "" }]), ...older("arm", 8, 5)];
    default:
      return [self];
  }
}

/** Whether an image of platform `offered` is made for `wanted`; not: whether it would also run there. */
export function isSamePlatform(offered: Platform, wanted: Platform): boolean {
  const [a, b] = [normalizePlatform(offered), normalizePlatform(wanted)];
  return a.os === b.os && a.architecture === b.architecture && a.variant === b.variant;
}

/** Something offered for a platform: a manifest in an index. */
interface Offer {
  readonly platform?: Platform;
}

/**
 * The offer that suits `wanted` best: the first of the best compatible platform, else the first that names none.
 * Throws PLATFORM_UNSUPPORTED with a list of what there is; `subject` names the image.
 */
export function selectPlatform<T extends Offer>(offers: readonly T[], wanted: Platform, subject: string): T {
  for (const compatible of compatiblePlatforms(wanted)) {
    const found = offers.find(({ platform }) => platform !== undefined && suits(platform, compatible, wanted));
    if (found !== undefined) return found;
  }
  const unnamed = offers.find(({ platform }) => platform === undefined);
  if (unnamed !== undefined) return unnamed;
  const there = [
    ...new Set(offers.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)]))),
  ];
  const shown = there.slice(0, 20).join(", ") + (there.length > 20 ? ", …" : "");
  throw new BuildError("PLATFORM_UNSUPPORTED", `${subject}: no image for ${formatPlatform(wanted)}`, {
    hint: there.length === 0 ? "it holds no image at all" : `it has ${shown}`,
  });
}

/** A Windows image only suits its own build of Windows: the first three numbers of the version. */
function suits(offered: Platform, compatible: Platform, wanted: Platform): boolean {
  if (!isSamePlatform(offered, compatible)) return false;
  if (compatible.os !== "windows" || wanted.osVersion === "" || offered.osVersion === "") return true;
  const build = (version: string): string => version.split(".").slice(0, 3).join(".");
  return build(offered.osVersion) === build(wanted.osVersion);
}
