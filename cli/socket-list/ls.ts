/** `seqpacket ls` */
import { parseAddress } from '../connections/address.js';
import { Failure } from '../process/failure.js';
import { stdout } from '../process/output.js';
import { sleep, stopSignal } from '../process/stopping.js';
import { paint, printRemark } from '../process/terminal.js';
import { formatJson, formatTable } from './format.js';
import { explainNothing, type Filter, listSockets, type SocketList } from './socket-list.js';

export interface LsOptions extends Filter {
  json?: boolean | undefined;
  /** Seconds between two lists. */
  watch?: number | undefined;
}

export async function runLs(address: string | undefined, options: LsOptions): Promise<number | undefined> {
  const { watch } = options;
  if (address !== undefined) parseAddress(address);
  for (let isFirst = true; ; isFirst = false) {
    const list = listSockets(address, options);
    if (watch === undefined && address !== undefined && list.entries.length === 0) {
      throw new Failure(explainNothing(address));
    }
    const text = options.json ? formatJson(list.entries, watch !== undefined) : formatTable(list);
    if (watch === undefined || options.json) stdout.write(text);
    else if (process.stdout.isTTY) stdout.write(`\x1b[H\x1b[2J\x1b[3J${heading(watch)}\n\n${text}`);
    else stdout.write(`${isFirst ? '' : '\n'}${heading(watch)}\n${text}`);
    if (isFirst || watch === undefined) remarkMissingInformation(list);
    await stdout.flush();
    if (watch === undefined) return undefined;
    await sleep(watch * 1000);
    if (stopSignal.aborted) return undefined;
  }
}

function heading(seconds: number): string {
  return paint('dim', `${new Date().toISOString()}, every ${seconds} s`);
}

function remarkMissingInformation({ entries, hasDiagnostics, hidden }: SocketList): void {
  if (entries.length === 0) return;
  if (!hasDiagnostics) {
    printRemark('"-": ss is not installed: it reports peers and queue lengths (package iproute2)');
  }
  if (hidden > 0 && entries.some(({ processes, inode }) => processes.length === 0 && inode !== 0)) {
    const isRoot = process.getuid?.() === 0;
    const advice = isRoot ? 'even by root' : 'root can: sudo seqpacket ls';
    printRemark(`"?": ${hidden} processes could not be examined, ${advice}`);
  }
}
