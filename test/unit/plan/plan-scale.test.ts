import { expect, test } from "vitest";
import { planText } from "./plan-input-fixture.ts";

const lines = (count: number, line: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => line(at)).join("");

test("a chain of 1,000 stages, each with a copy of the one before, is planned", async () => {
  const text = `FROM scratch AS s0\nCOPY a /0\n${lines(999, (at) => `FROM s${at} AS s${at + 1}\nCOPY --from=s${at} /${at} /${at + 1}\n`)}`;
  const { vertices, images } = await planText(text);
  expect(vertices).toHaveLength(1000);
  expect(images[0]?.history).toHaveLength(1000);
});

test("a stage that copies from 1,000 others is planned", async () => {
  const text = `${lines(1000, (at) => `FROM scratch AS s${at}\nCOPY a /${at}\n`)}FROM scratch\n${lines(1000, (at) => `COPY --from=s${at} /${at} /\n`)}`;
  expect((await planText(text)).vertices).toHaveLength(2000);
});

test("a stage of 5,000 instructions that set and use variables is planned", async () => {
  const five = (at: number): string =>
    `ARG A${at}=${at}\nENV E${at}=$A${at}\nLABEL l${at}=$E${at}\nWORKDIR /w$A${at}\nCOPY a b$A${at}\n`;
  const { vertices, images } = await planText(`FROM scratch\n${lines(1000, five)}`);
  expect(vertices).toHaveLength(2000);
  expect(images[0]?.config.Env).toHaveLength(1001);
  expect(images[0]?.config.Labels?.get("l999")).toBe("999");
});
