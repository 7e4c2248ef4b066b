/**
 * Completion scripts for four shells, all made from one table of words.
 *
 * Each script finds the longest known command among the words typed so far and offers what may follow it. Words hold
 * letters and dashes only, so nothing in a script needs quoting.
 */

import { type Completion, COMPLETIONS, FILE_FLAGS, VALUES } from "./completion-words.ts"

export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const
export type Shell = (typeof SHELLS)[number]

export function completionScript(shell: Shell): string {
  switch (shell) {
    case "bash":
      return bash()
    case "zsh":
      return zsh()
    case "fish":
      return fish()
    case "powershell":
      return powershell()
  }
}

function offers({ words = [], flags }: Completion): string {
  return [...words, ...flags].join(" ")
}

/** The longest command comes first where one begins another, because a shell takes the first that fits. */
function longestFirst(): readonly Completion[] {
  return [...COMPLETIONS].sort((a, b) => b.command.length - a.command.length)
}

/** The same cases serve bash and zsh: `typed` is what stands before the cursor, `previous` the word before it. */
function cases(answer: (words: string) => string, files: string): readonly string[] {
  return [
    '  case "$previous" in',
    ...VALUES.map(({ flag, values }) => `    ${flag}) ${answer(values.join(" "))}; return ;;`),
    `    ${FILE_FLAGS.join("|")}) ${files}; return ;;`,
    "  esac",
    '  case "$typed" in',
    ...longestFirst().map((each) => {
      const pattern = each.command === "" ? "*" : `"${each.command} "*`
      return `    ${pattern}) ${answer(offers(each))} ;;`
    }),
    "  esac",
  ]
}

function bash(): string {
  return text([
    "# bash completion for bm: source <(bm completion bash)",
    "_bm() {",
    '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
    '  local typed="${COMP_WORDS[*]:1:COMP_CWORD-1} "',
    "  COMPREPLY=()",
    ...cases(
      (words) => `COMPREPLY=($(compgen -W "${words}" -- "$current"))`,
      'COMPREPLY=($(compgen -f -- "$current"))',
    ),
    "}",
    "complete -o filenames -F _bm bm",
  ])
}

function zsh(): string {
  return text([
    "#compdef bm",
    '# zsh completion for bm: bm completion zsh > "${fpath[1]}/_bm", or: source <(bm completion zsh)',
    "_bm() {",
    '  local previous="${words[CURRENT-1]}" typed="${words[2,CURRENT-1]} "',
    ...cases((words) => `compadd -- ${words}`, "_files"),
    "}",
    'if [ "$funcstack[1]" = "_bm" ]; then _bm "$@"; else compdef _bm bm; fi',
  ])
}

function fish(): string {
  return text([
    "# fish completion for bm: bm completion fish > ~/.config/fish/completions/bm.fish",
    "function __bm_typed",
    "  set -l typed (commandline -opc)",
    '  string join " " -- (string match -v -- "-*" $typed[2..])',
    "end",
    "function __bm_is",
    "  set -l typed (__bm_typed)",
    '  test "$typed" = "$argv[1]"',
    "end",
    "function __bm_at",
    "  set -l typed (__bm_typed)",
    '  string match -q -- "$argv[1] *" "$typed "',
    "end",
    "complete -c bm -f",
    ...COMPLETIONS.flatMap(({ command, words = [], flags }) => [
      ...(words.length === 0 ? [] : [`complete -c bm -n '__bm_is "${command}"' -a '${words.join(" ")}'`]),
      ...flags.map(
        (flag) =>
          `complete -c bm -n '__bm_${command === "" ? "is" : "at"} "${command}"' -l ${flag.slice(2)}${fishValue(flag)}`,
      ),
    ]),
  ])
}

function fishValue(flag: string): string {
  const values = VALUES.find((each) => each.flag === flag)?.values
  if (values !== undefined) return ` -x -a '${values.join(" ")}'`
  return FILE_FLAGS.includes(flag) ? " -r -F" : ""
}

function powershell(): string {
  const table = longestFirst().map((each) => `    '${each.command}' = '${offers(each)}'`)
  const values = VALUES.map((each) => `    '${each.flag}' = '${each.values.join(" ")}'`)
  return text([
    "# PowerShell completion for bm: bm completion powershell | Out-String | Invoke-Expression",
    "Register-ArgumentCompleter -Native -CommandName bm -ScriptBlock {",
    "  param($word, $ast, $cursor)",
    "  $commands = [ordered]@{",
    ...table,
    "  }",
    "  $values = @{",
    ...values,
    "  }",
    "  $typed = @($ast.CommandElements | Select-Object -Skip 1 | Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object { $_.ToString() })",
    "  $offers = $null",
    "  if ($typed.Count -gt 0) { $offers = $values[$typed[-1]] }",
    "  if ($null -eq $offers) {",
    "    $line = ($typed -join ' ') + ' '",
    "    foreach ($command in $commands.Keys) {",
    "      if ($command -eq '' -or $line.StartsWith(\"$command \")) { $offers = $commands[$command]; break }",
    "    }",
    "  }",
    "  $offers -split ' ' | Where-Object { $_ -like \"$word*\" } | ForEach-Object {",
    "    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)",
    "  }",
    "}",
  ])
}

function text(lines: readonly string[]): string {
  return lines.join("\n")
}
