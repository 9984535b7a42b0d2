import { once } from "node:events";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { forwardAgent } from "../../../../src/steps/run/agent-socket.ts";
import { useTemporaryDirectory } from "../../../support/temporary-directory.ts";

describe("a forwarded agent", () => {
  const temporary = useTemporaryDirectory();
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

  test("answers through a socket of its own, below a directory of any depth, until it is closed", async () => {
    const agent = createServer((client) => client.on("data", (data) => client.end(`got ${data}`)));
    agent.listen(join(temporary.path, "agent"));
    await once(agent, "listening");
    const deep = join(temporary.path, "d".repeat(120));
    mkdirSync(deep);
    const forwarded = await forwardAgent(join(temporary.path, "agent"), deep, "ssh-0", { mode: 0o600, ...owner });
    try {
      expect(statSync(forwarded.path).mode & 0o7777).toBe(0o600);
      process.chdir(deep);
      const client = connect("ssh-0");
      client.write("question");
      expect(String((await once(client, "data"))[0])).toBe("got question");
    } finally {
      process.chdir("/");
      forwarded.close();
      agent.close();
    }
    expect(existsSync(join(deep, "ssh-0"))).toBe(false);
  });

  test("that is not there ends the connection", async () => {
    const forwarded = await forwardAgent("/no/such/agent", temporary.path, "ssh-0", { mode: 0o600, ...owner });
    const client = connect(forwarded.path);
    client.on("error", () => {});
    await once(client, "close");
    forwarded.close();
  });
});
