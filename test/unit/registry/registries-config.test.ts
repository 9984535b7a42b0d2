import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { endpointsOf } from "../../../src/registry/endpoint.ts";
import {
  loadRegistriesConfig,
  parseRegistriesConfig,
  type RegistriesConfig,
} from "../../../src/registry/registries-config.ts";
import { useTemporaryDirectory } from "../../support/temporary-directory.ts";
import { rejectionOf, thrownBy } from "../../support/thrown-by.ts";

const directory = useTemporaryDirectory();
const parse = (content: unknown): RegistriesConfig =>
  parseRegistriesConfig(Buffer.from(typeof content === "string" ? content : JSON.stringify(content)), "c.json");
const origins = (registry: string, config: RegistriesConfig = new Map()): readonly string[] =>
  endpointsOf(registry, "library/app", config).map(({ origin, repository }) => `${origin.origin} ${repository}`);

test("settings are read by registry", () => {
  const config = parse({
    registries: {
      "docker.io": { mirrors: ["m.example", "c.example:5000/hub/"] },
      "reg.lan:5000": { plainHttp: true },
      localhost: {},
    },
  });
  expect([...config]).toEqual([
    [
      "docker.io",
      {
        mirrors: [
          { registry: "m.example", prefix: "" },
          { registry: "c.example:5000", prefix: "hub" },
        ],
        plainHttp: null,
      },
    ],
    ["reg.lan:5000", { mirrors: [], plainHttp: true }],
    ["localhost", { mirrors: [], plainHttp: null }],
  ]);
  expect(parse({})).toEqual(new Map());
});

test.each<[unknown, string]>([
  ["{", "config c.json: not valid JSON"],
  ["[]", "want a JSON object"],
  ['{"registries":{},"registries":{}}', 'key "registries" occurs twice'],
  [{ registry: {} }, "registry: unknown, want registries"],
  [{ registries: [] }, "registries: got an array, want an object"],
  [{ registries: { "docker.io": true } }, "registries.docker.io: got a boolean, want an object"],
  [
    { registries: { "docker.io": { insecure: true } } },
    "registries.docker.io.insecure: unknown, want mirrors or plainHttp",
  ],
  [
    { registries: { "reg.lan": { plainHttp: "yes" } } },
    "registries.reg.lan.plainHttp: got a string, want true or false",
  ],
  [{ registries: { "https://reg.lan": {} } }, "not a registry, want host or host:port"],
  [{ registries: { "docker.io/library": {} } }, "not a registry"],
  [{ registries: { hub: {} } }, "not a registry"],
  [{ registries: { __proto__x: {} } }, "not a registry"],
  [
    { registries: { "docker.io": { mirrors: "m.example" } } },
    "registries.docker.io.mirrors: got a string, want an array",
  ],
  [{ registries: { "docker.io": { mirrors: ["https://m.example"] } } }, "registries.docker.io.mirrors[0]"],
  [{ registries: { "docker.io": { mirrors: ["m.example/../x"] } } }, "registries.docker.io.mirrors[0]"],
  [{ registries: { "docker.io": { mirrors: ["m.example/x:tag"] } } }, "registries.docker.io.mirrors[0]"],
  [{ registries: { "docker.io": { mirrors: ["user:pw@m.example"] } } }, "registries.docker.io.mirrors[0]"],
])("%j is refused", (content, problem) => {
  const error = thrownBy(() => parse(content));
  expect(error.code).toBe("CONFIG_INVALID");
  expect(error.message).toContain(problem);
  expect(error.hint).toContain("docs/registries.md");
});

describe("the file", () => {
  const write = (file: string, registry: string): string => {
    const path = join(directory.path, file);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, JSON.stringify({ registries: { [registry]: {} } }));
    return path;
  };

  test("named by TSBUILD_CONFIG is the only one", async () => {
    write("home/.config/tsbuild/config.json", "home.example");
    const named = write("named.json", "named.example");
    const config = await loadRegistriesConfig({ TSBUILD_CONFIG: named, HOME: join(directory.path, "home") });
    expect([...config.keys()]).toEqual(["named.example"]);
  });

  test("named by TSBUILD_CONFIG has to be there", async () => {
    const error = await rejectionOf(loadRegistriesConfig({ TSBUILD_CONFIG: join(directory.path, "no.json") }));
    expect(error.message).toContain("no.json: cannot be read (ENOENT)");
  });

  test.each([
    ["~/.config", "home/.config/tsbuild/config.json", (root: string) => ({ HOME: join(root, "home") })],
    [
      "$XDG_CONFIG_HOME",
      "xdg/tsbuild/config.json",
      (root: string) => ({ HOME: "/none", XDG_CONFIG_HOME: join(root, "xdg") }),
    ],
  ])("of the user lies below %s", async (_name, file, environment) => {
    write(file, "user.example");
    expect((await loadRegistriesConfig(environment(directory.path))).has("user.example")).toBe(true);
  });

  test("of the user need not be there", async () => {
    expect((await loadRegistriesConfig({ HOME: directory.path })).has("user.example")).toBe(false);
  });
});

test.each([
  ["docker.io", "https://registry-1.docker.io library/app"],
  ["ghcr.io", "https://ghcr.io library/app"],
  ["reg.example:5000", "https://reg.example:5000 library/app"],
  ["localhost:5000", "http://localhost:5000 library/app"],
  ["127.0.0.1:5001", "http://127.0.0.1:5001 library/app"],
  ["127.9.9.9", "http://127.9.9.9 library/app"],
  ["[::1]:5000", "http://[::1]:5000 library/app"],
  ["127.0.0.1.evil.example", "https://127.0.0.1.evil.example library/app"],
  ["localhost.evil.example", "https://localhost.evil.example library/app"],
  ["10.0.0.1:5000", "https://10.0.0.1:5000 library/app"],
])("%s is asked at %s", (registry, origin) => {
  expect(origins(registry)).toEqual([origin]);
});

test("mirrors are asked before the registry, by their own settings", () => {
  const config = parse({
    registries: { "docker.io": { mirrors: ["m.lan:5000/hub", "m.example"] }, "m.lan:5000": { plainHttp: true } },
  });
  expect(origins("docker.io", config)).toEqual([
    "http://m.lan:5000 hub/library/app",
    "https://m.example library/app",
    "https://registry-1.docker.io library/app",
  ]);
});
