import { formatPlatform, type Platform, parsePlatform } from "../image/platform.ts";

/** Where in an OCI image an annotation goes. */
export type AnnotationLevel = "manifest" | "index" | "manifest-descriptor" | "index-descriptor";

export interface OutputAnnotation {
  readonly level: AnnotationLevel;
  /** As `formatPlatform` has it, a component may be "*"; null for all platforms. */
  readonly platform: string | null;
  readonly key: string;
  readonly value: string;
}

/** The platform in square brackets behind a level; "" is all of them. Throws PLATFORM_UNSUPPORTED. */
export function annotationPlatform(text: string): string | null {
  if (text === "") return null;
  return text.split("/").includes("*") ? text : formatPlatform(parsePlatform(text));
}

/** Whether an annotation is meant for the image of a platform. */
export function isForPlatform(annotation: OutputAnnotation, platform: Platform): boolean {
  if (annotation.platform === null) return true;
  const wanted = annotation.platform.split("/");
  const there = formatPlatform(platform).split("/");
  return wanted.every((part, at) => part === "*" || part === there[at]) && there.length <= wanted.length;
}
