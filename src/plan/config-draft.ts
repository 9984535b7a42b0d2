import type { ContainerConfig, Healthcheck } from "../image/image-config.ts";

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

  constructor(config: ContainerConfig) {
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
  }

  get env(): readonly string[] {
    return this.#env;
  }

  hasEnv(name: string): boolean {
    return this.#positionOf(name) >= 0;
  }

  /** Replaces the variable in its place, or adds it at the end. */
  setEnv(name: string, value: string): void {
    const at = this.#positionOf(name);
    this.#env[at < 0 ? this.#env.length : at] = `${name}=${value}`;
  }

  /** A scan is faster than a map that every stage would have to copy. */
  #positionOf(name: string): number {
    const start = `${name}=`;
    return this.#env.findIndex((entry) => entry.startsWith(start) || entry === name);
  }

  fork(): ConfigDraft {
    return new ConfigDraft(this.toConfig());
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
