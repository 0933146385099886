/** The public API. */
export type { BridgeCounters, Traffic } from './counters.js';
export type { Bridge } from './end.js';
export type { RemoteProcess } from './hand-shake.js';
export { joinOverNats } from './join.js';
export { jsonLine, type LocalProcess, type LogEvent, textLine } from './log.js';
export type { BridgeOptions, JoinOptions, ServeOptions } from './options.js';
export { serveOverNats } from './serve.js';
