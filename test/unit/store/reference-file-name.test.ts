import fc from "fast-check";
import { expect, test } from "vitest";
import { fileNameOf } from "../../../src/store/reference-file-name.ts";

test.each([
  ["docker.io/library/busybox:latest", "docker.io~library~busybox:latest"],
  ["127.0.0.1:5001/a/b:1", "127.0.0.1:5001~a~b:1"],
  ["docker.io/ns/app:RC1", "docker.io~ns~app:%52%431"],
  ["a~b", "a%7Eb"],
  [".", "%2E"],
  ["..", "%2E."],
  ["", "%"],
  ["-rf", "-rf"],
  ["$(touch p);\n", "%24%28touch%20p%29%3B%0A"],
  ["é", "%C3%A9"],
])("the name of %j is %s", (text, name) => {
  expect(fileNameOf(text)).toBe(name);
});

test("names fit every file system, however long the text is", () => {
  const long = `docker.io/${"a".repeat(5000)}`;
  expect(fileNameOf(long)).toMatch(/^docker\.io~a{100,}%-[0-9a-f]{64}$/);
  expect(fileNameOf(long).length).toBeLessThan(255);
  expect(fileNameOf(`${long}b`)).not.toBe(fileNameOf(`${long}c`));
});

test("no two texts share a name, also where case does not count", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "A", "/", "~", "%", "7", "E", ".", ":", "é", "e\u0301") });
  fc.assert(
    fc.property(text, text, (a, b) => {
      if (a !== b) expect(fileNameOf(a).toLowerCase()).not.toBe(fileNameOf(b).toLowerCase());
    }),
    { numRuns: 2000 },
  );
});

test("a name is always one component and never hidden", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(fileNameOf(text)).toMatch(/^[^./\0][^/\0]*$/);
    }),
  );
});
