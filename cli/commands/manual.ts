/** The definition of `seqpacket manual`. */
import type { DocumentedCommand, ReportResult } from '../command-line/command.js';
import { manualPage } from '../command-line/manual-page.js';
import { EXIT } from '../process/exit-codes.js';
import { stdout } from '../process/output.js';

export function addManual(program: DocumentedCommand, report: ReportResult): void {
  program
    .command('manual')
    .summary('print the manual page')
    .description('Print the manual page.')
    .addExamples(
      `
  Read it without installing the package
    npx seqpacket manual | man -l -`,
    )
    .action(() => {
      stdout.write(manualPage(program));
      report(EXIT.success, false);
    });
}
