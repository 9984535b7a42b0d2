import { expect, test } from "vitest";
import { formatGoJson, goMap, goStruct } from "../../../src/image/go-json.ts";

test.each([
  ["plain", '"plain"'],
  ['a"b\\c', '"a\\"b\\\\c"'],
  ["<a href='x'>&</a>", "\"\\u003ca href='x'\\u003e\\u0026\\u003c/a\\u003e\""],
  ["\u2028\u2029", '"\\u2028\\u2029"'],
  ["\b\f\n\r\t", '"\\b\\f\\n\\r\\t"'],
  ["\0\u001f\u007f", '"\\u0000\\u001f\u007f"'],
  ["ü€😀", '"ü€😀"'],
  ["a\udc80b", '"a\\ufffdb"'],
  ["\ud800", '"\\ufffd"'],
])("the string %j is written as Go does", (text, expected) => {
  expect(formatGoJson(text)).toBe(expected);
});

test("maps are sorted by the bytes of their keys, structs are not", () => {
  const entries = [
    ["b", "1"],
    ["\uff5e", "2"],
    ["😀", "3"],
    ["__proto__", "4"],
    ["B", "5"],
  ] as const;
  expect(formatGoJson(goMap(entries))).toBe('{"B":"5","__proto__":"4","b":"1","\uff5e":"2","😀":"3"}');
  expect(formatGoJson(goStruct(entries))).toBe('{"b":"1","\uff5e":"2","😀":"3","__proto__":"4","B":"5"}');
});

test("indented text has the line breaks of MarshalIndent", () => {
  const value = goStruct([
    ["a", [1, goStruct([["b", null]])]],
    ["left", undefined],
    ["empty", []],
    ["map", new Map()],
  ]);
  expect(formatGoJson(value, "  ")).toBe(
    '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ],\n  "empty": [],\n  "map": {}\n}',
  );
  expect(formatGoJson(value)).toBe('{"a":[1,{"b":null}],"empty":[],"map":{}}');
});
