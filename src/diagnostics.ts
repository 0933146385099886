/**
 * Channels of `node:diagnostics_channel`. They cost nothing without subscribers.
 *
 * - `seqpacket:connect` `{ socket }`: a socket was connected
 * - `seqpacket:accept` `{ acceptor, socket }`: a connection was accepted
 * - `seqpacket:refuse` `{ acceptor, reason, credentials }`: a connection was closed instead, by the option of `listen`
 *   that is the reason, `'allow'` or `'maxConnections'`
 * - `seqpacket:close` `{ endpoint }`: a socket or an acceptor is about to be closed or released
 * - `seqpacket:error` `{ error }`: an operation failed; end of file, cancelling and aborting are no failures
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import { queueMicrotask } from './system/timers';

export const onConnect = channel('seqpacket:connect');
export const onAccept = channel('seqpacket:accept');
export const onRefuse = channel('seqpacket:refuse');
export const onClose = channel('seqpacket:close');
export const onError = channel('seqpacket:error');

/** Publishes success, once the operation has settled: a subscriber may close what it is informed of. */
export function publishLater(on: Channel, message: object): void {
  if (on.hasSubscribers) queueMicrotask(() => on.publish(message));
}

export function publishError(error: unknown): void {
  if (onError.hasSubscribers && (error as { code?: unknown }).code !== 'EOF') onError.publish({ error });
}
