import { allNodes, type CommandNode, namesOf, type OptionNode } from "./command-tree.ts";

/** The script that completes in zsh: as the file `_tsbuild` on the fpath, or sourced. */
export function zshScript(root: CommandNode): string {
  return `#compdef tsbuild
# Completion of tsbuild for zsh: source <(tsbuild completion zsh)
_tsbuild() {
  local key= word option= value argument
  local -a commands flags
  local -A takes
  integer at=2
  _tsbuild_spec ""
  while ((at < CURRENT)) && ((\${commands[(I)\${words[at]}:*]})); do
    key="\${key:+$key }\${words[at]}"
    _tsbuild_spec "$key"
    ((at += 1))
  done
  word=\${words[CURRENT]}
  if [[ $word == --*=* ]]; then
    option=\${word%%=*}
    compset -P '*='
  elif ((at < CURRENT)) && [[ -n \${takes[\${words[CURRENT - 1]}]} ]]; then
    option=\${words[CURRENT - 1]}
  fi
  if [[ -n $option ]]; then
    _tsbuild_words "\${takes[$option]}"
  elif [[ $word == -* ]]; then
    _describe -o option flags
  else
    ((at == CURRENT)) && ((\${#commands})) && _describe command commands
    _tsbuild_words "$argument"
  fi
}

_tsbuild_words() {
  case "$1" in
    file) _files ;;
    image | container) compadd -- \${(f)"$("\${words[1]}" __complete "$1" 2>/dev/null)"} ;;
    choices:*) compadd -- \${(s:,:)1#choices:} ;;
  esac
}

_tsbuild_spec() {
  commands=() flags=() takes=() argument=
  case "$1" in
${allNodes(root).map(specOf).join("\n")}
  esac
}

if [[ \${funcstack[1]} == _tsbuild ]]; then
  _tsbuild "$@"
else
  compdef _tsbuild tsbuild
fi
`;
}

function specOf({ path, children, options, argument }: CommandNode): string {
  const commands = children.map((child) => described(child.path.at(-1) ?? "", child.description));
  const flags = options.flatMap((option) => namesOf(option).map((name) => described(name, option.description)));
  const takes = options
    .filter(({ value }) => value !== null)
    .flatMap((option) => namesOf(option).map((name) => `${name} ${quote(takenBy(option))}`));
  return [
    `    ${quote(path.join(" "))})`,
    ...(commands.length === 0 ? [] : [`      commands=(${commands.join(" ")})`]),
    ...(flags.length === 0 ? [] : [`      flags=(${flags.join(" ")})`]),
    ...(takes.length === 0 ? [] : [`      takes=(${takes.join(" ")})`]),
    `      argument=${quote(argument)}`,
    "      ;;",
  ].join("\n");
}

const takenBy = ({ value, choices }: OptionNode): string =>
  choices.length > 0 ? `choices:${choices.join(",")}` : (value ?? "other");

const described = (name: string, description: string): string => quote(`${name}:${description.replaceAll(":", "\\:")}`);

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
