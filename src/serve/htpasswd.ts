import { createHmac, randomBytes } from "node:crypto";
import bcrypt from "bcryptjs";
import { BuildError } from "../base/errors.ts";
import { Semaphore } from "../base/semaphore.ts";

/** Users and their passwords. */
export interface Htpasswd {
  /** Whether `user` has `password`. */
  accepts(user: string, password: string): Promise<boolean>;
}

const bcryptPattern = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
/** A hash of this cost takes some seconds; a higher one would keep the server busy with nothing else. */
const highestCost = 14;
/** Checks that run at the same time; whoever guesses passwords waits, and does not keep others from being served. */
const checksAtOnce = 2;
const mostRemembered = 1000;

/**
 * Reads a file of `htpasswd -B`: a line `user:hash` for each user, with bcrypt's hashes. `file` names it in errors.
 * Throws CONFIG_INVALID.
 */
export function parseHtpasswd(text: string, file: string): Htpasswd {
  const hashes = new Map<string, string>();
  for (const [at, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    const hash = line.slice(colon + 1);
    const cost = Number(bcryptPattern.exec(hash)?.[1] ?? Number.NaN);
    if (colon <= 0 || Number.isNaN(cost)) {
      throw new BuildError("CONFIG_INVALID", `htpasswd ${file}: line ${at + 1}: want user:hash with a bcrypt hash`, {
        hint: "write it with htpasswd -B",
      });
    }
    if (cost > highestCost)
      throw new BuildError(
        "CONFIG_INVALID",
        `htpasswd ${file}: line ${at + 1}: got cost ${cost}, want at most ${highestCost}`,
      );
    hashes.set(line.slice(0, colon), hash);
  }
  const [example] = hashes.values();
  if (example === undefined) throw new BuildError("CONFIG_INVALID", `htpasswd ${file}: has no users`);
  const slots = new Semaphore(checksAtOnce);
  // Hashing takes tens of milliseconds, and a client says its password with every request.
  const key = randomBytes(32);
  const accepted = new Set<string>();
  return {
    async accepts(user, password) {
      const seen = createHmac("sha256", key).update(`${user}\0${password}`).digest("base64");
      if (accepted.has(seen)) return true;
      const hash = hashes.get(user);
      // The answer to an unknown user takes as long as the one to a wrong password.
      const isRight = await slots.use(() => bcrypt.compare(password, hash ?? example));
      if (!isRight || hash === undefined) return false;
      if (accepted.size >= mostRemembered) accepted.clear();
      accepted.add(seen);
      return true;
    },
  };
}
