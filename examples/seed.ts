/**
 * The example of Emilua's `unix.seqpacket_socket`, in TypeScript, with the other end that it needs.
 *
 *     const sock = new SeqpacketSocket();
 *     sock.open();
 *     sock.bind('/tmp/9Lq7BNBnBycd6nxy.socket');
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeqpacketAcceptor, SeqpacketSocket } from 'seqpacket';

const directory = mkdtempSync(join(tmpdir(), 'seqpacket-example-'));
const server = join(directory, 'server.socket');

using acceptor = new SeqpacketAcceptor();
acceptor.open();
acceptor.bind(server);
acceptor.listen();

const sock = new SeqpacketSocket();
sock.open();
sock.bind(join(directory, '9Lq7BNBnBycd6nxy.socket'));
await sock.connect(server);

using peer = await acceptor.accept();
await peer.send(Buffer.from('a message'));

const buf = new Uint8Array(1024);
const nread = await sock.receive(buf);
console.log(Buffer.from(buf.subarray(0, nread)).toString());

sock.close();
rmSync(directory, { recursive: true });
