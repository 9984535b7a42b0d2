import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isBuildError } from "../../../src/base/errors.ts";
import { familiarReference, formatReference, parseReference } from "../../../src/image/reference.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const hex = "a1".repeat(32);
const digest = `sha256:${hex}`;

describe("parseReference", () => {
  test.each([
    ["busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"],
    ["ns/app", "docker.io/ns/app:latest", "ns/app:latest"],
    ["docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["index.docker.io/ns/app", "docker.io/ns/app:latest", "ns/app:latest"],
    ["library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"],
    ["ghcr.io/ns/app:v1", "ghcr.io/ns/app:v1", "ghcr.io/ns/app:v1"],
    ["localhost/app", "localhost/app:latest", "localhost/app:latest"],
    ["localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"],
    ["127.0.0.1:40001/ns/app:x", "127.0.0.1:40001/ns/app:x", "127.0.0.1:40001/ns/app:x"],
    ["[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"],
    ["MyHost/app", "MyHost/app:latest", "MyHost/app:latest"],
    [`busybox@${digest}`, `docker.io/library/busybox@${digest}`, `busybox@${digest}`],
    [`busybox:1@${digest}`, `docker.io/library/busybox:1@${digest}`, `busybox:1@${digest}`],
    ["a__b/c--d", "docker.io/a__b/c--d:latest", "a__b/c--d:latest"],
    ["x:UPPER_tag.1-2", "docker.io/library/x:UPPER_tag.1-2", "x:UPPER_tag.1-2"],
    [`${"a".repeat(63)}`, `docker.io/library/${"a".repeat(63)}:latest`, `${"a".repeat(63)}:latest`],
  ])("%s is %s in full and %s in short", (text, full, familiar) => {
    const reference = parseReference(text);
    expect(formatReference(reference)).toBe(full);
    expect(familiarReference(reference)).toBe(familiar);
    expect(parseReference(full)).toEqual(reference);
  });

  test.each([
    ["", "empty", undefined],
    ["Busybox", "lower-case", 'did you mean "busybox"?'],
    ["ghcr.io/NS/App:v1", "lower-case", 'did you mean "ghcr.io/ns/app:v1"?'],
    ["https://ghcr.io/a", "begins with https://", 'leave out "https://"'],
    ["docker-image://a", "begins with docker-image://", 'leave out "docker-image://"'],
    [hex, "image ID", undefined],
    ["a//b", "repository", undefined],
    ["/a", "repository", undefined],
    ["a/", "repository", undefined],
    ["a b", "repository", undefined],
    ["-a", "repository", undefined],
    ["a..b", "repository", undefined],
    ["a___b", "repository", undefined],
    ["../../etc/passwd", "registry", undefined],
    ["a.b/../c", "repository", undefined],
    ["a\0b", "repository", undefined],
    ["é", "repository", undefined],
    ["-x.y/a", "registry", undefined],
    ["x:99999/a", "registry", undefined],
    ["user:pw@host/a", "digest", undefined],
    ["a:", "tag", undefined],
    ["a:-x", "tag", undefined],
    [`a:${"t".repeat(129)}`, "tag", undefined],
    ["a@sha256:abc", "digest", undefined],
    [`a@sha256:${hex.toUpperCase()}`, "digest", undefined],
    ["a@sha256:../../x", "digest", undefined],
    [`a@${digest}\0`, "digest", undefined],
    [`a@sha512:${hex}${hex}`, "digest", undefined],
    [`a/${"b".repeat(300)}`, "255 characters", undefined],
    ["a".repeat(1025), "1024 characters", undefined],
  ])("refuses %j because of %s", (text, problem, hint) => {
    const error = thrownBy(() => parseReference(text));
    expect(error).toMatchObject({ code: "REFERENCE_INVALID" });
    expect(error.message).toContain(problem);
    if (hint !== undefined) expect(error.hint).toBe(hint);
  });

  test("any text either parses to what formats and parses back, or is REFERENCE_INVALID", () => {
    const pieces = fc.constantFrom("a", "B", "1", ".", "_", "__", "-", "/", ":", "@", "sha256:", hex, "\0", "é", " ");
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        try {
          const reference = parseReference(parts.join(""));
          expect(parseReference(formatReference(reference))).toEqual(reference);
          expect(parseReference(familiarReference(reference))).toEqual(reference);
        } catch (error) {
          if (!isBuildError(error, "REFERENCE_INVALID")) throw error;
        }
      }),
    );
  });

  test.each([
    "a".repeat(1e6),
    "a-".repeat(5e5),
    "a/".repeat(5e5),
    `${"_".repeat(1e6)}!`,
    "@".repeat(1e6),
    "[".repeat(1e6),
  ])("a million characters are refused at once (row %#)", (text) => {
    const start = performance.now();
    expect(() => parseReference(text)).toThrow("image reference");
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
