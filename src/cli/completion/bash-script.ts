import { allNodes, type CommandNode, namesOf, type OptionNode } from "./command-tree.ts";

/**
 * The script that completes in bash, 3.2 and later. Words are taken from the line itself, since bash splits `ns/app:1` and
 * `--progress=plain` in pieces.
 */
export function bashScript(root: CommandNode): string {
  return `# Completion of tsbuild for bash: source <(tsbuild completion bash)
_tsbuild_spec() {
  commands= flags= files= images= containers= choices= others= argument=
  case "$1" in
${allNodes(root).map(specOf).join("\n")}
  esac
}

_tsbuild() {
  local line=\${COMP_LINE:0:COMP_POINT} cur= option= value= key= word rest at
  local commands flags files images containers choices others argument
  local -a words
  read -ra words <<<"$line"
  if [[ $line != *[[:space:]] ]]; then
    cur=\${words[\${#words[@]} - 1]}
    unset "words[\${#words[@]} - 1]"
  fi
  _tsbuild_spec ""
  at=1
  while ((at < \${#words[@]})) && [[ " $commands " == *" \${words[at]} "* ]]; do
    key="\${key:+$key }\${words[at]}"
    _tsbuild_spec "$key"
    at=$((at + 1))
  done
  word=\${words[\${#words[@]} - 1]}
  value=$cur
  if [[ $cur == --*=* ]]; then
    option=\${cur%%=*}
    value=\${cur#*=}
  elif ((at < \${#words[@]})) && [[ " $files $images $containers $others \${choices//:/ } " == *" $word "* ]]; then
    option=$word
  fi
  COMPREPLY=()
  if [[ -n $option ]]; then
    if [[ " $files " == *" $option "* ]]; then
      _tsbuild_reply file
    elif [[ " $images " == *" $option "* ]]; then
      _tsbuild_reply image
    elif [[ " $containers " == *" $option "* ]]; then
      _tsbuild_reply container
    else
      rest=" $choices "
      if [[ $rest == *" $option:"* ]]; then
        rest=\${rest#*" $option:"}
        rest=\${rest%% *}
        COMPREPLY=($(compgen -W "\${rest//,/ }" -- "$value"))
      fi
    fi
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  else
    _tsbuild_reply "$argument"
    if ((at == \${#words[@]})); then
      COMPREPLY+=($(compgen -W "$commands" -- "$cur"))
    fi
  fi
  if [[ $value == *:* && $COMP_WORDBREAKS == *:* ]]; then
    word=\${value%"\${value##*:}"}
    for at in "\${!COMPREPLY[@]}"; do COMPREPLY[at]=\${COMPREPLY[at]#"$word"}; done
  fi
}

_tsbuild_reply() {
  case "$1" in
    file)
      compopt -o filenames 2>/dev/null
      local IFS=$'\\n'
      COMPREPLY=($(compgen -f -- "$value"))
      ;;
    image | container) COMPREPLY=($(compgen -W "$("\${words[0]}" __complete "$1" 2>/dev/null)" -- "$value")) ;;
  esac
}

complete -F _tsbuild tsbuild
`;
}

function specOf(node: CommandNode): string {
  const { path, options, children, argument } = node;
  const taking = (kind: OptionNode["value"]): string =>
    options
      .filter(({ value, choices }) => value === kind && choices.length === 0)
      .flatMap(namesOf)
      .join(" ");
  const chosen = options
    .filter(({ choices }) => choices.length > 0)
    .flatMap((option) => namesOf(option).map((name) => `${name}:${option.choices.join(",")}`));
  const members: readonly (readonly [string, string])[] = [
    ["commands", children.map((child) => child.path.at(-1) ?? "").join(" ")],
    ["flags", options.flatMap(namesOf).join(" ")],
    ["files", taking("file")],
    ["images", taking("image")],
    ["containers", taking("container")],
    ["others", taking("other")],
    ["choices", chosen.join(" ")],
    ["argument", argument],
  ];
  const lines = members.filter(([, text]) => text !== "").map(([name, text]) => `      ${name}="${text}"`);
  return [`    "${path.join(" ")}")`, ...lines, "      ;;"].join("\n");
}
