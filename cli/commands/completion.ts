/** The definition of `seqpacket completion`. */
import { Argument } from 'commander';
import type { DocumentedCommand, ReportResult } from '../command-line/command.js';
import { completionScript, SHELLS, type Shell } from '../command-line/completion-script.js';
import { EXIT } from '../process/exit-codes.js';
import { stdout } from '../process/output.js';

export function addCompletion(program: DocumentedCommand, report: ReportResult): void {
  program
    .command('completion')
    .summary('print a script for bash, zsh or fish')
    .description('Print a script that completes commands, options and addresses in a shell.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addExamples(
      `
  bash, for this session, and for all new ones
    source <(seqpacket completion bash)
    seqpacket completion bash > ~/.local/share/bash-completion/completions/seqpacket
  zsh, in a directory of $fpath
    seqpacket completion zsh > ~/.zfunc/_seqpacket
  fish
    seqpacket completion fish > ~/.config/fish/completions/seqpacket.fish`,
    )
    .action((shell: Shell) => {
      stdout.write(completionScript(program, shell));
      report(EXIT.success, false);
    });
}
