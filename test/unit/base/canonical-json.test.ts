import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, type JsonValue } from "../../../src/base/canonical-json.ts";

test.each<[string, JsonValue, string]>([
  ["keys are sorted", { b: 1, a: [true, null] }, '{"a":[true,null],"b":1}'],
  ["undefined members are left out", { a: undefined, b: 2 }, '{"b":2}'],
  [
    "names like __proto__ are ordinary",
    JSON.parse('{"__proto__":1,"constructor":2}'),
    '{"__proto__":1,"constructor":2}',
  ],
  ["lone surrogates survive as escapes", "\udc80", '"\\udc80"'],
])("%s", (_, value, text) => {
  expect(canonicalJson(value)).toBe(text);
});

test("a number without one way to print it is refused", () => {
  expect(() => canonicalJson(0.1)).toThrow(expect.objectContaining({ code: "INTERNAL" }));
});

const json = fc.letrec((tie) => ({
  value: fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value")),
    fc.dictionary(fc.string(), tie("value")),
  ),
})).value;

test("equal values have equal texts, whatever the order of their keys, and different values different ones", () => {
  fc.assert(
    fc.property(json, json, (a, b) => {
      const reversed = JSON.parse(JSON.stringify(a), (_, item) =>
        item !== null && typeof item === "object" && !Array.isArray(item)
          ? Object.fromEntries(Object.entries(item).reverse())
          : item,
      );
      expect(canonicalJson(reversed)).toBe(canonicalJson(a as JsonValue));
      const same = canonicalJson(a as JsonValue) === canonicalJson(b as JsonValue);
      expect(same).toBe(canonicalJson(JSON.parse(JSON.stringify(a))) === canonicalJson(JSON.parse(JSON.stringify(b))));
      expect(JSON.parse(canonicalJson(a as JsonValue))).toEqual(JSON.parse(JSON.stringify(a)));
    }),
  );
});
