import type { SourceLocation } from "../base/source-location.ts";

/** A word's text with its heredoc body, as RUN, COPY and ADD take them. */
export interface Heredoc {
  readonly name: string;
  /** The raw body, every line with its line end; `heredocText` removes what `chomp` asks for. */
  readonly content: string;
  /** False when the name was quoted: variables in the body are not expanded. */
  readonly expand: boolean;
  /** `<<-`: leading tabs are removed. */
  readonly chomp: boolean;
  /** The digits before `<<`, or null. */
  readonly fileDescriptor: number | null;
}

/** `NAME` or `NAME=value`, unexpanded. `value` is null when there is no `=`. */
export interface KeyValue {
  readonly key: string;
  readonly value: string | null;
}

/** The arguments of RUN, CMD, ENTRYPOINT: a JSON array or a line for the shell. */
export type CommandLine =
  | { readonly form: "exec"; readonly args: readonly string[] }
  | { readonly form: "shell"; readonly text: string };

export type MountType = "bind" | "cache" | "tmpfs" | "secret" | "ssh";

/** `RUN --mount=...`, parsed but not expanded: every text may hold variables but `from`. */
export interface MountFlag {
  readonly type: MountType;
  readonly from: string | null;
  readonly source: string | null;
  readonly target: string | null;
  /** null when not said: the default depends on the type. */
  readonly readOnly: boolean | null;
  readonly required: boolean;
  /** tmpfs only, in bytes. */
  readonly sizeBytes: number | null;
  readonly id: string | null;
  readonly sharing: "shared" | "private" | "locked" | null;
  readonly mode: number | null;
  readonly uid: number | null;
  readonly gid: number | null;
  /** secret only: name of the environment variable; "" for the default one, null when not given. */
  readonly env: string | null;
}

interface Common {
  readonly location: SourceLocation;
  /** The keyword as it was written: `Run`. */
  readonly keyword: string;
  /** The logical line as it was written, without heredoc bodies. */
  readonly original: string;
  /** Trimmed texts of the comment lines right before the instruction. */
  readonly comments: readonly string[];
}

/** COPY and ADD share their form. Paths are unexpanded; heredocs stand in `heredocs` in the order of their appearance. */
interface Transfer {
  readonly sources: readonly string[];
  readonly heredocs: readonly Heredoc[];
  readonly destination: string;
  readonly chown: string | null;
  readonly chmod: string | null;
  readonly link: boolean;
  readonly parents: boolean;
  readonly excludes: readonly string[];
}

/** One instruction, checked for its form, nothing expanded. */
export type Instruction = Common &
  (
    | {
        readonly kind: "from";
        readonly base: string;
        readonly platform: string | null;
        /** Lower-cased; null when not given. */
        readonly stageName: string | null;
        /** The stage name and the AS keyword as written, for checks. */
        readonly stageNameAsWritten: string | null;
        readonly asKeyword: string | null;
      }
    /** At least one; keys are never empty. */
    | { readonly kind: "arg"; readonly args: readonly KeyValue[] }
    /** `legacy`: one pair without an equals sign, its value the rest of the line. Values are never null. */
    | { readonly kind: "env"; readonly pairs: readonly KeyValue[]; readonly legacy: boolean }
    | { readonly kind: "label"; readonly pairs: readonly KeyValue[]; readonly legacy: boolean }
    | {
        readonly kind: "run";
        readonly command: CommandLine;
        readonly heredocs: readonly Heredoc[];
        /** Raw `--mount` values in order; parsed after expansion by `parseMountFlag`. */
        readonly mounts: readonly string[];
        readonly network: "default" | "none" | "host";
        readonly security: "sandbox" | "insecure";
        readonly devices: readonly string[];
      }
    | ({ readonly kind: "copy"; readonly from: string | null } & Transfer)
    | ({
        readonly kind: "add";
        readonly checksum: string | null;
        readonly keepGitDir: boolean | null;
        readonly unpack: boolean | null;
      } & Transfer)
    | { readonly kind: "workdir"; readonly path: string }
    | { readonly kind: "user"; readonly user: string }
    /** Unexpanded words, sorted. */
    | { readonly kind: "expose"; readonly ports: readonly string[] }
    | { readonly kind: "volume"; readonly paths: readonly string[] }
    | { readonly kind: "stopsignal"; readonly signal: string }
    | { readonly kind: "cmd"; readonly command: CommandLine }
    | { readonly kind: "entrypoint"; readonly command: CommandLine }
    | { readonly kind: "shell"; readonly shell: readonly string[] }
    | {
        readonly kind: "healthcheck";
        /** null for `HEALTHCHECK NONE`. */
        readonly command: CommandLine | null;
        /** Nanoseconds; 0 when not given. */
        readonly interval: number;
        readonly timeout: number;
        readonly startPeriod: number;
        readonly startInterval: number;
        readonly retries: number;
      }
    | {
        readonly kind: "onbuild";
        /** The trigger's text as it goes into the image config, heredoc bodies included. */
        readonly expression: string;
      }
    | { readonly kind: "maintainer"; readonly maintainer: string }
  );

export type InstructionKind = Instruction["kind"];
export type InstructionOf<K extends InstructionKind> = Extract<Instruction, { readonly kind: K }>;

/** A stage: FROM and what follows it. */
export interface Stage {
  readonly from: InstructionOf<"from">;
  readonly instructions: readonly Instruction[];
}

/** A whole Dockerfile, parsed. */
export interface Dockerfile {
  /** As the user named it, for messages. */
  readonly file: string;
  /** The text, for excerpts around an error. */
  readonly text: string;
  readonly escape: "\\" | "`";
  /** Values of the `syntax` and `check` directives, or null. */
  readonly syntax: string | null;
  readonly check: string | null;
  /** ARGs before the first FROM. */
  readonly globalArgs: readonly InstructionOf<"arg">[];
  readonly stages: readonly Stage[];
  /** What the parser itself finds for build checks: empty continuation lines. */
  readonly emptyContinuations: readonly SourceLocation[];
}
