/** What each rule asks for, in the order of docs/checks.md. */
const descriptions: ReadonlyMap<string, string> = new Map([
  ["StageNameCasing", "Names of stages are written in lower case"],
  ["FromAsCasing", "FROM and AS are written in the same case"],
  ["NoEmptyContinuation", "No empty lines inside an instruction that goes on over several lines"],
  ["ConsistentInstructionCasing", "All instructions are written in the same case, upper or lower"],
  ["DuplicateStageName", "Every stage has a name of its own"],
  ["ReservedStageName", "No stage is named scratch or context"],
  ["JSONArgsRecommended", "CMD and ENTRYPOINT are written as JSON, so that the program gets the signals"],
  ["MaintainerDeprecated", "Authors are named in a label, not by MAINTAINER"],
  ["UndefinedArgInFrom", "FROM uses only ARGs that are declared before it"],
  ["WorkdirRelativePath", "The first WORKDIR of a build is absolute: a relative one depends on the base image"],
  ["UndefinedVar", "Variables are declared before they are used"],
  ["MultipleInstructionsDisallowed", "A stage has one CMD, one ENTRYPOINT and one HEALTHCHECK: only the last counts"],
  ["LegacyKeyValueFormat", "ENV and LABEL are written as key=value, without a space instead of ="],
  ["InvalidBaseImagePlatform", "A base image has the platform that is built for"],
  ["RedundantTargetPlatform", "FROM does not ask for $TARGETPLATFORM: that is what it gets anyway"],
  ["SecretsUsedInArgOrEnv", "No secrets in ARG or ENV: both can be read from the image"],
  ["InvalidDefaultArgInFrom", "With the defaults of its ARGs, FROM names an image"],
  ["FromPlatformFlagConstDisallowed", "FROM --platform is a variable, not a constant"],
  ["CopyIgnoredFile", "COPY and ADD do not name files that .dockerignore leaves out"],
  ["InvalidDefinitionDescription", "A comment in front of FROM or ARG begins with the name it describes"],
  ["ExposeProtoCasing", "Protocols in EXPOSE are written in lower case"],
  ["ExposeInvalidFormat", "EXPOSE names ports of the container: no addresses, no ports of the host"],
]);

/** Rules that docker's pages do not explain. */
const unexplained: ReadonlySet<string> = new Set(["InvalidBaseImagePlatform"]);

/** What is known of a rule besides its name; both are "" for one that is not in the list. */
export interface RuleFacts {
  readonly description: string;
  /** Where docker explains it; "" for nowhere. */
  readonly url: string;
}

/** Names of all rules. */
export const ruleNames: readonly string[] = [...descriptions.keys()];

/** Description and page of a rule. */
export function ruleFacts(rule: string): RuleFacts {
  const description = descriptions.get(rule) ?? "";
  if (description === "" || unexplained.has(rule)) return { description, url: "" };
  return { description, url: `https://docs.docker.com/go/dockerfile/rule/${kebabCase(rule)}/` };
}

/** `JSONArgsRecommended` as `json-args-recommended`. */
const kebabCase = (name: string): string =>
  name.replaceAll(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, "-").toLowerCase();
