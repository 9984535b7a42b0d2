import { text } from "node:stream/consumers";
import { BuildError } from "../base/errors.ts";
import { loginTo, logoutFrom } from "../engine/log-in.ts";
import { askTerminal } from "./ask-terminal.ts";
import type { LoginOptions } from "./registry-commands.ts";
import { registryEnvironment } from "./registry-environment.ts";
import { withInterrupt } from "./with-interrupt.ts";

/** `tsbuild login`: the password comes from stdin or the terminal, never from an argument that others can see. */
export async function runLogin(registry: string | undefined, options: LoginOptions): Promise<void> {
  if (options.passwordStdin === true && options.username === undefined)
    throw new BuildError("USAGE_INVALID", "--password-stdin: want --username too");
  const username = options.username ?? (await askTerminal("user name", false, "say --username NAME"));
  const password =
    options.passwordStdin === true
      ? (await text(process.stdin)).replace(/\r?\n$/, "")
      : await askTerminal("password", true, "say --password-stdin and send it there");
  if (username === "" || username.includes(":") || password === "")
    throw new BuildError("USAGE_INVALID", "login: want a user name without a colon, and a password that is not empty");
  const environment = registryEnvironment(options);
  const keeper = await withInterrupt((signal) => loginTo(registry, username, password, environment, signal));
  process.stdout.write(`logged in to ${registry ?? "docker.io"}; kept by ${keeper}\n`);
}

/** `tsbuild logout`. */
export async function runLogout(registry: string | undefined): Promise<void> {
  const wasLoggedIn = await logoutFrom(registry, process.env);
  process.stdout.write(`${wasLoggedIn ? "logged out of" : "not logged in to"} ${registry ?? "docker.io"}\n`);
}
