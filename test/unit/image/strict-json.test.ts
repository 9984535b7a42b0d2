import { describe, expect, test } from "vitest";
import { BuildError } from "../../../src/base/errors.ts";
import { JsonReader } from "../../../src/image/json-reader.ts";
import { parseJsonObject } from "../../../src/image/strict-json.ts";
import { thrownBy } from "../../support/thrown-by.ts";

const failure = (problem: string): BuildError => new BuildError("IMAGE_INVALID", `doc: ${problem}`);
const parse = (content: string | Uint8Array): object => parseJsonObject(Buffer.from(content), 1000, failure);
const read = (text: string): JsonReader => new JsonReader(parse(text), "", failure);

describe("parseJsonObject", () => {
  test.each([
    ["a byte order mark", "\ufeff{}", "byte order mark"],
    ["text behind it", "{} {}", "not valid JSON"],
    ["nothing", "", "not valid JSON"],
    ["an array", "[]", "want a JSON object"],
    ["null", "null", "want a JSON object"],
    ["a string", '"{}"', "want a JSON object"],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), "not valid UTF-8"],
    ["more bytes than allowed", `{"a":"${"x".repeat(1000)}"}`, "got 1008 bytes, want at most 1000"],
    ["a key twice", '{"a":1,"b":2,"a":3}', 'key "a" occurs twice'],
    ["a key twice, once escaped", '{"a":1,"\\u0061":3}', 'key "a" occurs twice'],
    ["a key twice deep inside", '{"x":[{"y":{"a":[],"a":{}}}]}', 'key "a" occurs twice'],
    ["__proto__ twice", '{"__proto__":1,"__proto__":2}', 'key "__proto__" occurs twice'],
    ["deep nesting", `{"a":${"[".repeat(100)}${"]".repeat(100)}}`, "nested deeper than 64"],
  ])("refuses %s", (_name, content, problem) => {
    expect(thrownBy(() => parse(content)).message).toContain(problem);
  });

  test.each([
    ["equal keys of different objects", '{"a":{"k":1},"b":{"k":1},"k":2}'],
    ["a value that looks like a key", '{"a":"a","b":["a","a"],"c":"{\\"a\\":1,\\"a\\":2}"}'],
    ["escaped quotes and backslashes", '{"a\\"":"\\\\","a\\\\":"\\""}'],
    ["keys that differ in case", '{"a":1,"A":2}'],
    ["white space everywhere", ' {\n"a" : [ 1 , 2 ] ,\t"b" : { } } \n'],
  ])("accepts %s", (_name, text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });
});

describe("JsonReader", () => {
  test.each(["12.5", "-1", "1e400", "9007199254740993", "9007199254740992", '"12"', "true", "[]", "{}"])(
    "a count is not %s",
    (value) => {
      expect(thrownBy(() => read(`{"size":${value}}`).count("size")).message).toMatch(
        /^doc: size: got .*want a whole number/,
      );
    },
  );

  test("a count may be as large as a number is exact", () => {
    expect(read('{"size":9007199254740991}').count("size")).toBe(Number.MAX_SAFE_INTEGER);
  });

  test("only own members count", () => {
    const reader = read('{"a":1}');
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      expect(reader.has(name)).toBe(false);
      expect(reader.optionalString(name)).toBeUndefined();
    }
  });

  test("a map keeps keys like __proto__ and changes no prototype", () => {
    const map = read('{"m":{"__proto__":"a","constructor":"b"}}').optionalStringMap("m");
    expect([...(map ?? [])]).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
    expect(({} as { a?: string }).a).toBeUndefined();
  });

  test("errors name the member by its path", () => {
    const reader = read('{"layers":[{"digest":7}]}').optionalObjects("layers")?.[0];
    expect(thrownBy(() => reader?.string("digest")).message).toBe("doc: layers[0].digest: got a number, want a string");
    expect(thrownBy(() => read("{}").object("config")).message).toBe("doc: config: missing, want an object");
    expect(thrownBy(() => read('{"a\\nb":1}').optionalString("a\nb")).message).toBe(
      'doc: "a\\nb": got a number, want a string',
    );
  });

  test("null counts as absent", () => {
    const reader = read('{"a":null}');
    expect(reader.optionalStrings("a")).toBeUndefined();
    expect(reader.optionalObject("a")).toBeUndefined();
  });
});
