import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isBuildError } from "../../../../src/base/errors.ts";
import { parseTemplate } from "../../../../src/cli/template/parse-template.ts";
import { renderTemplate } from "../../../../src/cli/template/render-template.ts";
import { structOf } from "../../../../src/cli/template/template-value.ts";
import { thrownBy } from "../../../support/thrown-by.ts";

const data = structOf(
  {
    ID: "sha256:0123456789abcdef",
    Size: 1234,
    Tags: ["a:1", "b:2", "c:3"],
    None: [],
    Config: structOf(
      {
        User: "",
        Env: ["PATH=/bin", "A=<b>&"],
        Labels: new Map([
          ["b.key", "two"],
          ["a", "one"],
        ]),
      },
      { Cmd: [] },
    ),
    Mixed: new Map<string, string | number>([["n", 1]]),
    Created: "2024-05-06T07:08:09Z",
    IsOk: true,
    Gone: null,
  },
  {},
);
const render = (source: string): string => renderTemplate(parseTemplate(source), source, data);

describe("templates give what Go's text/template gives", () => {
  test.each([
    ["plain text", "plain text"],
    ["{{.ID}} {{ .Size }}", "sha256:0123456789abcdef 1234"],
    ["{{.Config.Env}}", "[PATH=/bin A=<b>&]"],
    ["{{.Config.Labels}}", "map[a:one b.key:two]"],
    ["{{.Config.Labels.a}}|{{.Config.Labels.none}}", "one|<no value>"],
    ['{{index .Config.Labels "b.key"}}|{{index .Config.Labels "x"}}|{{index .Mixed "x"}}', "two||<no value>"],
    ["{{index .Tags 1}} {{(index .Tags 2)}} {{index .ID 0}}", "b:2 c:3 115"],
    ["{{.Config.Cmd}}{{len .Config.Cmd}}", "[]0"],
    ["{{.Gone}} {{.IsOk}} {{nil}} {{true}} {{-5}} {{0x1f}}", "<no value> true <no value> true -5 31"],
    ["{{.Config}}", "{ [PATH=/bin A=<b>&] map[a:one b.key:two] []}"],
    ["{{json .Config}}", '{"User":"","Env":["PATH=/bin","A=<b>&"],"Labels":{"a":"one","b.key":"two"}}'],
    ["{{json .Gone}}{{json .Size}}{{json .IsOk}}", "null1234true"],
    ["{{range .Tags}}<{{.}}>{{end}}", "<a:1><b:2><c:3>"],
    ["{{range $i, $t := .Tags}}{{$i}}={{$t}} {{end}}", "0=a:1 1=b:2 2=c:3 "],
    ["{{range $k, $v := .Config.Labels}}{{$k}}:{{$v}};{{end}}", "a:one;b.key:two;"],
    ["{{range .None}}x{{else}}empty{{end}}", "empty"],
    ["{{range $t := .Tags}}{{$t}}{{$.Size}}{{end}}", "a:11234b:21234c:31234"],
    ["{{if .Config.User}}u{{else if .None}}n{{else}}none{{end}}", "none"],
    ["{{if and .ID .IsOk}}yes{{end}}{{if or .None .Gone}}no{{end}}{{if not .Gone}}!{{end}}", "yes!"],
    ["{{with .Config}}{{.Env}}{{end}}{{with .Gone}}x{{else}}gone{{end}}", "[PATH=/bin A=<b>&]gone"],
    ["{{with .Gone}}x{{else with .Tags}}{{len .}}{{end}}", "3"],
    ['{{.Tags | len | printf "%03d"}}', "003"],
    ['{{join .Tags ","}} {{.Config.User}}{{split "a/b" "/"}}{{join (split "abc" "") "-"}}', "a:1,b:2,c:3 [a b]a-b-c"],
    ['{{lower "AB"}}{{upper "cd"}}{{title "big little words"}}', "abCDBig Little Words"],
    ['{{truncate .ID 10}}|{{pad "x" 1 2}}|{{slice .ID 7 11}}|{{slice .Tags 1}}', "sha256:012| x  |0123|[b:2 c:3]"],
    ['{{eq .Size 1234}}{{eq "a" "b" "a"}}{{ne 1 2}}{{lt 1 2}}{{ge "b" "a"}}', "truetruetruetruetrue"],
    ['{{print "a" 1 2 "b"}}|{{println "a" 1}}', "a1 2b|a 1\n"],
    [
      '{{printf "%s-%5d|%-5s|%q|%v|%t|%x|%.2f|%%" "s" 42 "ab" "q\\n" .Tags true 255 1.5}}',
      's-   42|ab   |"q\\n"|[a:1 b:2 c:3]|true|ff|1.50|%',
    ],
    ['{{printf "%d %s" "x"}}', "%!d(string=x) %!s(MISSING)"],
    ['{{printf "%s" "x" 2}}', "x%!(EXTRA int=2)"],
    ["a  {{- .Size -}}  b {{- /* no */ -}} c", "a1234bc"],
    ["a {{/* a comment }} with a brace */}}b", "a b"],
    ["{{$x := .Size}}{{if true}}{{$x = 5}}{{end}}{{$x}}", "5"],
    ['{{(index .Tags 0) | printf "%s!"}}', "a:1!"],
    ['{{`raw \\t`}}{{"\\t|\\u00e9\\""}}', 'raw \\t\t|é"'],
    ["{{ .ID\n| len }}", "23"],
  ])("%s", (source, expected) => {
    expect(render(source)).toBe(expected);
  });
});

describe("a template that is wrong is told with its place", () => {
  test.each([
    ["{{.Config.Usr}}", "line 1, column 3: there is no field .Usr", "did you mean User?"],
    ["ab\n  {{ nope .ID }}", 'line 2, column 6: unknown function "nope"', undefined],
    ["{{.ID.More}}", "line 1, column 3: .More: a string has no fields", undefined],
    ["{{.ID", "line 1, column 1: action is not closed: want }}", undefined],
    ["{{if .ID}}x", "line 1, column 1: {{if}} has no {{end}}", undefined],
    ["x{{end}}", "line 1, column 2: unexpected {{end}}", undefined],
    ["{{range .Size}}{{end}}", "line 1, column 9: range over a number, want a list or a map", undefined],
    ["{{index .Tags 3}}", "line 1, column 3: index: index 3 is out of range, there are 3", undefined],
    ["{{$x}}", "line 1, column 3: unknown variable $x", undefined],
    ["{{if true}}{{$x := 1}}{{end}}{{$x}}", "line 1, column 32: unknown variable $x", undefined],
    ['{{"a}}', "line 1, column 3: string is not closed", undefined],
    ['{{eq 1 "1"}}', "line 1, column 3: eq: a number (1) cannot be compared with a string (1)", undefined],
    ["{{lower 5}}", "line 1, column 3: lower: got a number, want a string", undefined],
    ["{{.ID 5}}", "line 1, column 3: is no function and takes no arguments", undefined],
    ["{{.ID}|}", 'line 1, column 6: unexpected "}"', undefined],
    ["{{/* }}", "line 1, column 1: comment is not closed: want */}}", undefined],
    ["{{}}", 'line 1, column 3: got "}}", want a value', undefined],
    ['{{printf "%20000d" 1}}', "line 1, column 3: printf: ", undefined],
  ])("%s", (source, message, hint) => {
    const error = thrownBy(() => render(source));
    expect(error).toMatchObject({ code: "USAGE_INVALID", ...(hint === undefined ? {} : { hint }) });
    expect(error.message).toContain(message);
  });
});

describe("a hostile template ends soon, with an error", () => {
  const nested = (count: number, open: string, close: string): string => open.repeat(count) + close.repeat(count);
  test.each([
    ["loops in loops", nested(60, "{{range $.Tags}}", "{{end}}")],
    ["loops that write", nested(30, "{{range $.Tags}}x", "{{end}}")],
    ["text that doubles", `{{$x := "xxxxxxxx"}}${"{{$x = print $x $x}}".repeat(60)}`],
    ["lists that double", `{{$x := "xxxxxxxx"}}${'{{$x = join (split $x "") "yy"}}'.repeat(60)}`],
    ["deep parentheses", `{{${nested(50_000, "(", ")")}}}`],
    ["deep blocks", "{{if true}}".repeat(5_000)],
    ["else if without end", `{{if true}}${"{{else if true}}".repeat(3_000)}`],
    ["wide fields", `{{printf "${"%9999d".repeat(5_000)}" 1}}`],
    ["a wide pad", '{{pad "x" 999999999999 1}}'],
    ["long input", "x".repeat(100_000)],
    ["blanks before a marker", `${" ".repeat(60_000)}{{-.}}${" ".repeat(60_000)}{{- .No}}`],
  ])("%s", (_, source) => {
    expect(thrownBy(() => render(source))).toMatchObject({ code: "USAGE_INVALID" });
  });

  test("any run of pieces of templates renders or is refused", () => {
    const pieces = [
      "{{",
      "}}",
      "{{-",
      "-}}",
      " ",
      ".",
      ".ID",
      ".Tags",
      "$",
      "$x",
      ":=",
      "=",
      "|",
      "(",
      ")",
      ",",
      "if",
      "range",
      "with",
      "else",
      "end",
      "len",
      "index",
      "printf",
      "join",
      "slice",
      "0",
      "-1",
      '"%s"',
      '"',
      "`",
      "/*",
      "*/",
      "text",
      "\n",
      "and",
      "true",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 40 }), (parts) => {
        try {
          expect(typeof render(parts.join(""))).toBe("string");
        } catch (error) {
          if (!isBuildError(error, "USAGE_INVALID")) throw error;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
