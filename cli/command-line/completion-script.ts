/** Completion scripts for shells, made from the definitions of the commands. */
import type { Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** Shell code that prints the abstract names of SEQPACKET sockets. */
const ABSTRACT_NAMES = `awk '$5 == "0005" && $8 ~ /^@/ { print $8 }' /proc/net/unix 2>/dev/null | sort -u`;

export function completionScript(program: Command, shell: Shell): string {
  const { commands } = program;
  switch (shell) {
    case 'bash':
      return bash(commands);
    case 'zsh':
      return zsh(commands);
    case 'fish':
      return fish(commands);
  }
}

function optionsOf(command: Command): Option[] {
  return [
    ...command.options.filter((option) => !option.hidden),
    command.createOption('-h, --help', 'print this help'),
  ];
}

function summaryOf(command: Command): string {
  return command.description().split(/[:.\n]/)[0]!;
}

/** Whether a value must follow. */
function takesValue(option: Option): boolean {
  return option.required;
}

function flagsOf({ short, long }: Option): string[] {
  return [short, long].filter((flag) => flag !== undefined && flag !== null) as string[];
}

function choicesOf(command: Command): readonly string[] {
  return command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
}

function bash(commands: readonly Command[]): string {
  const cases = commands.map((command) => {
    const flags = optionsOf(command).flatMap(flagsOf).join(' ');
    const words = choicesOf(command).join(' ');
    return `    ${command.name()}) flags='${flags}' words='${words}' ;;`;
  });
  const valued = commands.flatMap((command) => optionsOf(command).filter(takesValue).flatMap(flagsOf));
  const chosen = commands.flatMap((command) =>
    optionsOf(command)
      .filter((option) => option.argChoices !== undefined)
      .map(
        (option) =>
          `    ${flagsOf(option).join('|')}) COMPREPLY=($(compgen -W '${option.argChoices!.join(' ')}' -- "$current")); return ;;`,
      ),
  );
  return `# bash completion of seqpacket: source <(seqpacket completion bash)
_seqpacket() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} flags='--help --version' words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.map((command) => command.name()).join(' ')} help --help --version' -- "$current"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
    help) words='${commands.map((command) => command.name()).join(' ')}' ;;
  esac
  case $previous in
${chosen.join('\n')}
    ${[...new Set(valued)].join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    @*) COMPREPLY=($(compgen -W "$(${ABSTRACT_NAMES})" -- "$current")) ;;
    *) if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current"))
       else compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")); fi ;;
  esac
}
complete -F _seqpacket seqpacket
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function zsh(commands: readonly Command[]): string {
  const bracketed = (text: string) => text.replace(/[[\]:]/g, '\\$&').split('\n')[0]!;
  const list = commands.map((command) => `    ${quote(`${command.name()}:${summaryOf(command)}`)}`);
  const cases = commands.map((command) => {
    const specs = optionsOf(command).flatMap((option) => {
      const values = option.argChoices === undefined ? '_files' : `(${option.argChoices.join(' ')})`;
      const value = takesValue(option) ? `:value:${values}` : option.optional ? '::value:' : '';
      return flagsOf(option).map((flag) => quote(`*${flag}[${bracketed(option.description)}]${value}`));
    });
    const choices = choicesOf(command);
    const rest = choices.length > 0 ? `:shell:(${choices.join(' ')})` : '*:address:_seqpacket_address';
    return `    ${command.name()}) _arguments ${[...specs, quote(rest)].join(' \\\n      ')} ;;`;
  });
  return `#compdef seqpacket
# zsh completion of seqpacket: put it as _seqpacket into a directory of $fpath
_seqpacket_address() {
  local -a names
  names=(\${(f)"$(${ABSTRACT_NAMES})"})
  compadd -a names
  _files
}
_seqpacket() {
  local -a commands
  commands=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _seqpacket ]; then _seqpacket "$@"; else compdef _seqpacket seqpacket; fi
`;
}

function fish(commands: readonly Command[]): string {
  const lines = [
    '# fish completion of seqpacket',
    `function __seqpacket_names; ${ABSTRACT_NAMES}; end`,
    'complete -c seqpacket -n __fish_use_subcommand -f',
  ];
  for (const command of commands) {
    const name = command.name();
    const here = `-n '__fish_seen_subcommand_from ${name}'`;
    lines.push(
      `complete -c seqpacket -n __fish_use_subcommand -f -a ${name} -d ${quote(summaryOf(command))}`,
    );
    for (const option of optionsOf(command)) {
      const short = option.short ? ` -s ${option.short.slice(1)}` : '';
      const long = option.long ? ` -l ${option.long.slice(2)}` : '';
      const value = takesValue(option) ? ' -r' : '';
      const choices = option.argChoices === undefined ? '' : ` -f -a '${option.argChoices.join(' ')}'`;
      const text = quote(option.description.split('\n')[0]!);
      lines.push(`complete -c seqpacket ${here}${short}${long}${value}${choices} -d ${text}`);
    }
    const choices = choicesOf(command);
    if (choices.length > 0) lines.push(`complete -c seqpacket ${here} -f -a '${choices.join(' ')}'`);
    else if (command.registeredArguments.length > 0) {
      lines.push(`complete -c seqpacket ${here} -a '(__seqpacket_names)'`);
    }
  }
  return `${lines.join('\n')}\n`;
}
