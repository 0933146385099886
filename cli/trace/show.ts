/** `seqpacket show` */
import { Failure } from '../process/failure.js';
import { stdout } from '../process/output.js';
import { stopSignal } from '../process/stopping.js';
import { type Recorded, readRecording } from './recording.js';
import { isSelected, type Selection } from './selection.js';
import { createTraceDisplay, type DisplayOptions, type TraceDisplay } from './trace-display.js';

export interface ShowOptions extends DisplayOptions, Selection {
  /** The number of the only connection to show. */
  connection?: number | undefined;
}

export async function runShow(file: string, options: ShowOptions): Promise<undefined> {
  const display = createTraceDisplay(options);
  for await (const recorded of selectedOf(file, options)) {
    show(display, recorded);
    const waiting = stdout.backPressure();
    if (waiting !== undefined) await waiting;
  }
}

/**
 * The selected part of a recording.
 *
 * @param hasEvents whether the events of connections are a part of it even if only messages are selected
 * @throws {Failure} at the end if nothing is selected
 */
export async function* selectedOf(
  file: string,
  { connection, ...selection }: Selection & Pick<ShowOptions, 'connection'>,
  hasEvents = false,
): AsyncGenerator<Recorded> {
  let hasConnection = false;
  let hasSelected = false;
  for await (const recorded of readRecording(file)) {
    if (stopSignal.aborted) return;
    if (connection !== undefined && recorded.connection !== connection) continue;
    hasConnection = true;
    const isWanted = isSelected(recorded, selection);
    if (isWanted) hasSelected = true;
    if (isWanted || (hasEvents && recorded.type !== 'message')) yield recorded;
  }
  if (stopSignal.aborted || hasSelected) return;
  if (hasConnection) throw new Failure(`no message in ${file} is selected`);
  throw new Failure(
    connection === undefined ? `no connection in ${file}` : `no connection ${connection} in ${file}`,
  );
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
