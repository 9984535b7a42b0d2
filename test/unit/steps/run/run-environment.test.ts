import { expect, test } from "vitest";
import { runEnvironment } from "../../../../src/steps/run/run-environment.ts";

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

test.each([
  [[], [], [], [path]],
  [["PATH=/x", "A=1"], [], ["S=s"], ["PATH=/x", "A=1", "S=s"]],
  [["A=1"], ["HTTP_PROXY=p", "A=2"], ["S=s"], ["A=1", "HTTP_PROXY=p", path, "S=s"]],
])("%j with proxies %j and secrets %j", (env, proxyEnv, secretEnv, expected) => {
  expect(runEnvironment(env, proxyEnv, secretEnv)).toEqual(expected);
});
