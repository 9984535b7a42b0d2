import { BuildError } from "../base/errors.ts";

const names: ReadonlySet<string> = new Set(
  (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP " +
    "TSTP TTIN TTOU UNUSED URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"
  ).split(" "),
);

/** Throws DOCKERFILE_BAD_ARGUMENT unless `signal` is a Linux signal: `SIGTERM`, `term`, `RTMIN+3` or `9`. */
export function checkStopSignal(signal: string): void {
  const name = signal.toUpperCase().replace(/^SIG/, "");
  if (/^\d+$/.test(signal) ? Number(signal) > 0 : names.has(name) || isRealTimeSignal(name)) return;
  throw new BuildError("DOCKERFILE_BAD_ARGUMENT", `invalid signal: ${signal}`);
}

/** RTMIN+1 to RTMIN+15 and RTMAX-14 to RTMAX-1. */
function isRealTimeSignal(name: string): boolean {
  const match = /^(RTMIN\+|RTMAX-)([1-9]\d?)$/.exec(name);
  return match !== null && Number(match[2]) <= (match[1] === "RTMIN+" ? 15 : 14);
}
