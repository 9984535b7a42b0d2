import type { ContainerConfig, Healthcheck } from "../image/image-config.ts";

function positionsOf(entries: readonly string[]): ReadonlyMap<string, number> {
  const positions = new Map<string, number>();
  for (const [at, entry] of entries.entries()) {
    const name = entry.split("=", 1)[0] ?? "";
    if (!positions.has(name)) positions.set(name, at);
  }
  return positions;
}

/** The container config of a stage while it is planned. */
export class ConfigDraft {
  user = "";
  workingDir = "";
  cmd: readonly string[] = [];
  entrypoint: readonly string[] = [];
  shell: readonly string[] = [];
  stopSignal = "";
  argsEscaped = false;
  healthcheck: Healthcheck | null = null;
  onBuild: string[] = [];
  readonly labels: Map<string, string>;
  readonly exposedPorts: Set<string>;
  readonly volumes: Set<string>;
  readonly #env: string[];
  /** Position of each name's first entry in #env. */
  readonly #positions: Map<string, number>;

  constructor(config: ContainerConfig, positions: ReadonlyMap<string, number> = positionsOf(config.Env ?? [])) {
    this.user = config.User ?? "";
    this.workingDir = config.WorkingDir ?? "";
    this.cmd = config.Cmd ?? [];
    this.entrypoint = config.Entrypoint ?? [];
    this.shell = config.Shell ?? [];
    this.stopSignal = config.StopSignal ?? "";
    this.argsEscaped = config.ArgsEscaped ?? false;
    this.healthcheck = config.Healthcheck ?? null;
    this.onBuild = [...(config.OnBuild ?? [])];
    this.labels = new Map(config.Labels);
    this.exposedPorts = new Set(config.ExposedPorts);
    this.volumes = new Set(config.Volumes);
    this.#env = [...(config.Env ?? [])];
    this.#positions = new Map(positions);
  }

  get env(): readonly string[] {
    return this.#env;
  }

  hasEnv(name: string): boolean {
    return this.#positions.has(name);
  }

  /** Replaces the variable in its place, or adds it at the end. */
  setEnv(name: string, value: string): void {
    const at = this.#positions.get(name) ?? this.#env.length;
    this.#positions.set(name, at);
    this.#env[at] = `${name}=${value}`;
  }

  fork(): ConfigDraft {
    return new ConfigDraft(this.toConfig(), this.#positions);
  }

  /** As an image config holds it: empty members are absent. */
  toConfig(): ContainerConfig {
    return {
      ...(this.user !== "" && { User: this.user }),
      ...(this.exposedPorts.size > 0 && { ExposedPorts: [...this.exposedPorts] }),
      ...(this.#env.length > 0 && { Env: [...this.#env] }),
      ...(this.entrypoint.length > 0 && { Entrypoint: this.entrypoint }),
      ...(this.cmd.length > 0 && { Cmd: this.cmd }),
      ...(this.volumes.size > 0 && { Volumes: [...this.volumes] }),
      ...(this.workingDir !== "" && { WorkingDir: this.workingDir }),
      ...(this.labels.size > 0 && { Labels: new Map(this.labels) }),
      ...(this.stopSignal !== "" && { StopSignal: this.stopSignal }),
      ...(this.argsEscaped && { ArgsEscaped: true }),
      ...(this.healthcheck !== null && { Healthcheck: this.healthcheck }),
      ...(this.onBuild.length > 0 && { OnBuild: [...this.onBuild] }),
      ...(this.shell.length > 0 && { Shell: this.shell }),
    };
  }
}
