import { expect, test } from "vitest";
import { parseChallenges } from "../../../src/registry/challenge.ts";

const parse = (...headers: readonly string[]) =>
  parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test.each<[string, unknown[]]>([
  [
    'Bearer realm="https://a/t",service="s",scope="repository:x:pull"',
    [["bearer", { realm: "https://a/t", service: "s", scope: "repository:x:pull" }]],
  ],
  ['bearer Realm = "r" , SERVICE=s', [["bearer", { realm: "r", service: "s" }]]],
  ['Basic realm="a, b=c"', [["basic", { realm: "a, b=c" }]]],
  ['Basic realm="a \\"quoted\\" one"', [["basic", { realm: 'a "quoted" one' }]]],
  [
    'Negotiate, Basic realm="x", Bearer realm="y"',
    [
      ["negotiate", {}],
      ["basic", { realm: "x" }],
      ["bearer", { realm: "y" }],
    ],
  ],
  ["Negotiate", [["negotiate", {}]]],
  ["", []],
  ['realm="x"', []],
  ['Bearer service=s, realm="unterminated', [["bearer", { service: "s", realm: "" }]]],
  ["\u0000", []],
])("%j", (header, expected) => {
  expect(parse(header)).toEqual(expected);
});

test("several headers are several challenges", () => {
  expect(parse('Basic realm="x"', 'Bearer realm="y"')).toEqual([
    ["basic", { realm: "x" }],
    ["bearer", { realm: "y" }],
  ]);
});

test.each([
  'a="'.repeat(5000),
  "a ".repeat(8000),
  `Bearer ${'x="\\'.repeat(3000)}`,
  ",".repeat(16000),
  "a=".repeat(8000),
  "x".repeat(1e6),
])("long nonsense is read at once (row %#)", (header) => {
  const start = performance.now();
  parse(header);
  expect(performance.now() - start).toBeLessThan(5000);
});
