import { constants } from "node:os";
import type { StoredContainer } from "../store/container-store.ts";
import { formatAge } from "./format-time.ts";

/** What became of a container, with docker's words. */
export type ContainerState = "created" | "running" | "exited";

export function stateOf({ isRunning, start }: StoredContainer): ContainerState {
  if (!isRunning) return "exited";
  return start === null ? "created" : "running";
}

/** Exit code of a container that has ended; the one of SIGKILL when nobody was left to note it. */
export const exitCodeOfContainer = ({ exit }: StoredContainer): number =>
  exit?.exitCode ?? 128 + constants.signals.SIGKILL;

/** `Up 3 minutes`, `Exited (0) 2 hours ago`, as docker prints it. */
export function describeStatus(container: StoredContainer, nowMs: number): string {
  const { start, exit } = container;
  const since = (atMs: number): string => formatAge((nowMs - atMs) / 1000);
  switch (stateOf(container)) {
    case "created":
      return "Created";
    case "running":
      return `Up ${since(start?.startedAtMs ?? nowMs).replace(/ ago$/, "")}`;
    case "exited":
      return `Exited (${exitCodeOfContainer(container)})${exit === null ? "" : ` ${since(exit.finishedAtMs)}`}`;
  }
}
