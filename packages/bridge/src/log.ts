/** The events that a bridge reports, as text and as JSON. */
import type { BridgeCounters, Traffic } from './counters.js';
import type { RemoteProcess } from './hand-shake.js';

export interface LocalProcess {
  pid: number;
  uid: number;
}

export type LogEvent =
  | { event: 'ready'; subject: string; address: string; server: string }
  | {
      event: 'opened';
      session: string;
      /** The local program, as the kernel reports it. */
      local: LocalProcess | undefined;
      /** The program on the other machine, as its bridge reports it. */
      remote: RemoteProcess;
    }
  | { event: 'refused'; session: string; local: LocalProcess | undefined; code: string; reason: string }
  | {
      event: 'closed';
      session: string;
      local: LocalProcess | undefined;
      /** `undefined`: both programs ended their direction, and everything was delivered. */
      code: string | undefined;
      reason: string;
      toService: Traffic;
      toClient: Traffic;
      seconds: number;
    }
  | { event: 'disconnected'; sessions: number }
  | { event: 'reconnected'; server: string }
  | { event: 'draining'; sessions: number }
  | { event: 'error'; reason: string }
  | ({
      event: 'counters';
      nats: { inMsgs: number; inBytes: number; outMsgs: number; outBytes: number };
    } & BridgeCounters);

export function jsonLine(event: LogEvent): string {
  return JSON.stringify({ time: new Date().toISOString(), ...event });
}

export function textLine(event: LogEvent): string {
  return `${new Date().toISOString()} ${textOf(event)}`;
}

function textOf(event: LogEvent): string {
  switch (event.event) {
    case 'ready':
      return `ready: subject ${event.subject}, ${event.address}, ${event.server}`;
    case 'opened':
      return `session ${event.session} opened: ${local(event.local)}, ${remote(event.remote)}`;
    case 'refused':
      return `session ${event.session} refused: ${local(event.local)}: ${event.reason} (${event.code})`;
    case 'closed': {
      const how = event.code === undefined ? event.reason : `${event.reason} (${event.code})`;
      const traffic = `${count(event.toService)} to the service, ${count(event.toClient)} to the client`;
      return `session ${event.session} closed: ${local(event.local)}: ${how}; ${traffic}, ${event.seconds.toFixed(1)} s`;
    }
    case 'disconnected':
      return `the connection to NATS was lost: ${plural(event.sessions, 'session')} ended`;
    case 'reconnected':
      return `connected to NATS again: ${event.server}`;
    case 'draining':
      return `draining: no new sessions, ${plural(event.sessions, 'session')} open`;
    case 'error':
      return `error: ${event.reason}`;
    case 'counters': {
      const { open, opened, refused, failed, toService, toClient } = event;
      const sessions = `${open} open, ${opened} opened, ${refused} refused, ${failed} failed`;
      return `sessions: ${sessions}; ${count(toService)} to the service, ${count(toClient)} to the client`;
    }
  }
}

function local(process: LocalProcess | undefined): string {
  return process === undefined ? 'local program unknown' : `pid ${process.pid}, uid ${process.uid}`;
}

function remote({ host, pid, uid }: RemoteProcess): string {
  const details = [pid === undefined ? '' : `, pid ${pid}`, uid === undefined ? '' : `, uid ${uid}`].join('');
  return `with ${host}${details}`;
}

function count({ messages, bytes }: Traffic): string {
  return `${plural(messages, 'message')} (${bytes} bytes)`;
}

function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
