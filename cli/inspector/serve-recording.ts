/** Shows a recording. */
import { reasonOf } from '../process/failure.js';
import { onStop } from '../process/stopping.js';
import { printError, printRemark } from '../process/terminal.js';
import type { Recorded } from '../trace/recording.js';
import { framesOf } from './conversion.js';
import { InspectorServer } from './inspector-server.js';
import { type PageStream, RequestError, type Subject } from './subject.js';

class RecordingSubject implements Subject {
  readonly isLive = false;

  constructor(
    private readonly events: () => AsyncIterable<Recorded>,
    readonly title: string,
  ) {}

  async show(page: PageStream): Promise<void> {
    try {
      for await (const bytes of framesOf(this.events())) {
        if (page.isClosed) return;
        await page.write(bytes);
      }
    } catch (error) {
      // The page sees only that the stream was cut.
      printError(reasonOf(error));
      throw error;
    }
  }

  async send(connection: number): Promise<void> {
    throw new RequestError(404, `there is no open connection ${connection}: this is a recording`);
  }
}

/**
 * Serves a recording until the process is to stop. Prints the address of the page on standard error.
 *
 * @param events reads the recording; called for each page
 * @param title the name of the recording
 * @param port 0: a free one
 * @param directory the files of the page
 * @throws {Failure} if the port cannot be used
 */
export async function serveRecording(
  events: () => AsyncIterable<Recorded>,
  title: string,
  port: number,
  directory?: string,
): Promise<void> {
  const server = await InspectorServer.start(new RecordingSubject(events, title), port, directory);
  printRemark(`open ${server.address} in a browser`);
  await new Promise<void>((resolve) => onStop(resolve));
  await server.close();
}
