/** How zero-length messages are reported. */
import { checkOneOf } from '../arguments';

/** How to report zero-length messages: as the end of file, or as messages. */
export type EmptyMessages = 'eof' | 'deliver';

const MODES: readonly EmptyMessages[] = ['eof', 'deliver'];

export function checkEmptyMessages(value: unknown, name: string): EmptyMessages {
  return checkOneOf(value, name, MODES);
}

/** Checks the option `emptyMessages` of functions that create sockets; `'eof'` by default. */
export function emptyMessagesOption(value: EmptyMessages | undefined): EmptyMessages {
  return value === undefined ? 'eof' : checkEmptyMessages(value, 'options.emptyMessages');
}
