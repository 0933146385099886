/** `seqpacket show` */
import { Failure } from '../process/failure.js';
import { stdout } from '../process/output.js';
import { stopSignal } from '../process/stopping.js';
import { type Recorded, readRecording } from './recording.js';
import { isMessageSelected, isSelected, type Selection } from './selection.js';
import { createTraceDisplay, type DisplayOptions, type TraceDisplay } from './trace-display.js';

export interface ShowOptions extends DisplayOptions, Selection {
  /** The number of the only connection to show. */
  connection?: number | undefined;
}

export async function runShow(file: string, options: ShowOptions): Promise<undefined> {
  const { connection } = options;
  const display = createTraceDisplay(options);
  let isFound = false;
  let isShown = false;
  for await (const recorded of readRecording(file)) {
    if (stopSignal.aborted) return;
    if (connection !== undefined && recorded.connection !== connection) continue;
    isFound = true;
    if (!isSelected(recorded, options)) continue;
    isShown = true;
    show(display, recorded);
    const waiting = stdout.backPressure();
    if (waiting !== undefined) await waiting;
  }
  if (stopSignal.aborted || isShown) return;
  throw nothingSelected(file, connection, isFound);
}

function nothingSelected(file: string, connection: number | undefined, hasConnection: boolean): Failure {
  if (hasConnection) return new Failure(`no message in ${file} is selected`);
  return new Failure(
    connection === undefined ? `no connection in ${file}` : `no connection ${connection} in ${file}`,
  );
}

/** The connections of a recording, with the selected messages only. */
export async function* selectedOf(
  file: string,
  { connection, ...selection }: Selection & Pick<ShowOptions, 'connection'>,
): AsyncGenerator<Recorded> {
  let hasConnection = false;
  let hasMessage = false;
  for await (const recorded of readRecording(file)) {
    if (connection !== undefined && recorded.connection !== connection) continue;
    hasConnection = true;
    if (recorded.type === 'message') {
      if (!isMessageSelected(recorded, selection)) continue;
      hasMessage = true;
    }
    yield recorded;
  }
  if (!hasMessage && !stopSignal.aborted) throw nothingSelected(file, connection, hasConnection);
}

function show(display: TraceDisplay, recorded: Recorded): void {
  switch (recorded.type) {
    case 'opened':
      display.event(recorded, undefined, 'open', recorded.peers);
      break;
    case 'message':
      display.message(recorded, recorded.direction, recorded.message, recorded.descriptions);
      break;
    case 'event':
      display.event(recorded, recorded.direction, recorded.event, recorded.detail);
      break;
    case 'closed':
      display.event(recorded, undefined, 'closed');
  }
}
