/**
 * The channels of `node:diagnostics_channel`. A channel without subscribers costs nothing.
 *
 * - `seqpacket:connect` `{ socket }`: a socket was connected
 * - `seqpacket:accept` `{ acceptor, socket }`: a connection was accepted
 * - `seqpacket:refuse` `{ acceptor, reason, credentials }`: a connection was refused and closed; `reason` is the option
 *   of `listen` that refused it, `'allow'` or `'maxConnections'`
 * - `seqpacket:close` `{ endpoint }`: a socket or an acceptor is about to be closed or released
 * - `seqpacket:error` `{ error }`: an operation failed; end of file, cancellation and abort are not failures
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import { queueMicrotask } from './system/timers';

export const onConnect = channel('seqpacket:connect');
export const onAccept = channel('seqpacket:accept');
export const onRefuse = channel('seqpacket:refuse');
export const onClose = channel('seqpacket:close');
export const onError = channel('seqpacket:error');

/** Publishes a success after the operation has settled, because a subscriber may close the socket. */
export function publishLater(on: Channel, message: object): void {
  if (on.hasSubscribers) queueMicrotask(() => on.publish(message));
}

export function publishError(error: unknown): void {
  if (onError.hasSubscribers && (error as { code?: unknown }).code !== 'EOF') onError.publish({ error });
}
