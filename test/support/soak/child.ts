/** The other process of the soak, started by fork(). */
import { type Finished, Party, type Result, type Setting } from './party.js';

export type ToChild = { begin: Setting } | 'run' | 'stop' | 'end';
export type FromChild = 'ready' | 'stopped' | { fault: string } | { finished: Finished } | { result: Result };

const tell = (message: FromChild) => process.send!(message);
let party: Party;

process.on('message', async (message: ToChild) => {
  if (typeof message === 'object') {
    party = await Party.begin(
      message.begin,
      (fault) => tell({ fault }),
      (finished) => tell({ finished }),
    );
    tell('ready');
  } else if (message === 'run') {
    await party.run();
    tell('stopped');
  } else if (message === 'stop') party.stop();
  else {
    tell({ result: await party.end() });
    process.disconnect();
  }
});
