import { describe, expect, test } from "vitest";
import { formatRows } from "../../../src/cli/format-rows.ts";
import { structOf } from "../../../src/cli/template/template-value.ts";

const rows = [
  structOf({ ID: "0123", CreatedSince: "2 days ago", Labels: new Map([["a", "b"]]) }),
  structOf({ ID: "4567", CreatedSince: "now", Labels: new Map() }),
];
const format = (wanted?: string): string =>
  formatRows(wanted, rows, "{{.ID}}\t{{.CreatedSince}}", { ID: "IMAGE ID", CreatedSince: "CREATED" });

describe("rows are written as --format wants them", () => {
  test.each([
    [undefined, "IMAGE ID   CREATED\n0123       2 days ago\n4567       now\n"],
    ["table", "IMAGE ID   CREATED\n0123       2 days ago\n4567       now\n"],
    ["table {{lower .CreatedSince}}\\t{{.ID}}", "CREATED      IMAGE ID\n2 days ago   0123\nnow          4567\n"],
    ["table {{.ID}}\\t{{if .Labels}}{{(.Labels)}}{{end}}", "IMAGE ID   LABELS\n0123       map[a:b]\n4567\n"],
    ["table {{.ID}} x", "IMAGE ID x\n0123 x\n4567 x\n"],
    ["{{.ID}}\\t{{len .Labels}}", "0123\t1\n4567\t0\n"],
    ['{{.ID}}{{"\\n"}}', "0123\n\n4567\n\n"],
    [
      "json",
      '{"ID":"0123","CreatedSince":"2 days ago","Labels":{"a":"b"}}\n{"ID":"4567","CreatedSince":"now","Labels":{}}\n',
    ],
  ])("%s", (wanted, expected) => {
    expect(format(wanted)).toBe(expected);
  });

  test("a template that is wrong is refused also when there are no rows", () => {
    expect(() => formatRows("{{.ID", [], "", {})).toThrow("action is not closed");
  });
});
