/** A command whose help ends with examples, which the manual page has, too. */
import { Command } from 'commander';

export class TeachingCommand extends Command {
  /** Lines that say what for, indented by two, and under each of them what to type, indented by four. */
  examples = '';

  override createCommand(name?: string): TeachingCommand {
    return new TeachingCommand(name);
  }

  /** @param rest what else there is to say at the end of the help */
  teach(examples: string, rest = ''): this {
    this.examples = examples.replace(/^\n|\n$/g, '');
    return this.addHelpText('after', `\nExamples:\n${this.examples}${rest && `\n\n${rest}`}`);
  }
}
