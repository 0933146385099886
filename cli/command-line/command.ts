/** The class of all commands, and how they report their result. */
import { Command } from 'commander';

/**
 * @param exitCode undefined: success, or that of the signal that stopped the command
 * @param isEndless whether the command runs until it is stopped, which is then a success
 */
export type ReportResult = (exitCode: number | undefined, isEndless: boolean) => void;

/** A command whose help and section of the manual page end with examples. */
export class DocumentedCommand extends Command {
  /** Descriptions, indented by two spaces, each with command lines, indented by four. */
  examples = '';

  override createCommand(name?: string): DocumentedCommand {
    return new DocumentedCommand(name);
  }

  /** @param footer the last lines of the help */
  addExamples(examples: string, footer = ''): this {
    this.examples = examples.replace(/^\n|\n$/g, '');
    return this.addHelpText('after', `\nExamples:\n${this.examples}${footer && `\n\n${footer}`}`);
  }
}
