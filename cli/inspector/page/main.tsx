/** Starts the page. */
import { render } from 'preact';
import { Drawing } from './drawing.js';
import { WorkerTester } from './filter/worker-tester.js';
import { Inspector } from './session/inspector.js';
import { Server } from './session/server.js';
import { App } from './views/app.js';
import { handleDrops } from './views/drops.js';
import { handleKey } from './views/keys.js';

/** Small lines and charts move on without new data, too. */
const TICK_MS = 500;

const root = document.getElementById('page')!;
const narrow = matchMedia('(max-width: 700px)');
const drawing: Drawing = new Drawing(
  (isTimeOver) => inspector.shown.advance(isTimeOver),
  () => {
    document.title = `${inspector.shown.session.title || 'seqpacket'} – seqpacket inspector`;
    render(<App inspector={inspector} isNarrow={narrow.matches} />, root);
  },
);
const hasCharts = innerHeight >= 720 && !narrow.matches;
const inspector: Inspector = new Inspector(
  new Server(location.hash),
  (queries) => new WorkerTester(queries),
  hasCharts,
  drawing.request,
);

addEventListener('keydown', (event) => handleKey(inspector, event));
narrow.addEventListener('change', () => inspector.changed());
handleDrops(inspector);
setInterval(() => drawing.request(false), TICK_MS);
inspector.changed();
void inspector.run();
