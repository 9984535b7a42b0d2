import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import type { Sandbox } from "./sandbox.ts";

/** What a Runtime holds to: the network of a step. */
export function describeNetwork(sandbox: Sandbox): void {
  const { shell, outputOf } = sandbox;
  describe("network", () => {
    test("none has the loopback interface only, and it works", async () => {
      const script = "ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 | grep -c ' 0% packet loss'";
      expect(await outputOf(script, { network: "none" })).toBe("lo\n1");
    });

    test("none does not reach the host", async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      let connections = 0;
      server.on("connection", (socket) => {
        connections += 1;
        socket.destroy();
      });
      try {
        await shell(`nc -w 1 127.0.0.1 ${port} < /dev/null`, { network: "none" });
        expect(connections).toBe(0);
        await shell(`nc -w 1 127.0.0.1 ${port} < /dev/null`);
        expect(connections).toBe(1);
      } finally {
        server.close();
      }
    });

    test("names: the host itself, and those that were asked for", async () => {
      const script = "hostname; cat /etc/hosts; stat -c %a /etc/hosts /etc/resolv.conf";
      const over = { hostname: "box", extraHosts: [{ name: "alpha", address: "10.0.0.1" }] };
      expect(await outputOf(script, over)).toBe(
        "box\n127.0.0.1\tlocalhost box\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.1\talpha\n644\n644",
      );
    });
  });
}
