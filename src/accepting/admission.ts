/** Which peers a server admits, by their credentials from the kernel. */
import { readFileSync } from 'node:fs';
import { checkEach, checkInteger, checkOptions } from '../arguments';
import { invalidType, invalidValue } from '../errors';
import { peerCredentials, peerGroups } from '../system/peer-credentials';

/** The users and groups to admit. A peer needs one of the users, or one of the groups, supplementary ones included. */
export interface AllowedPeers {
  uids?: readonly number[] | undefined;
  gids?: readonly number[] | undefined;
}

const KEYS = ['uids', 'gids'];

const LARGEST_ID = 0xffff_fffe;

export function checkAllowedPeers(allow: AllowedPeers, name: string): AllowedPeers {
  const { uids, gids } = checkOptions(allow, name);
  if (!isPlain(allow)) throw invalidType(name, 'a plain object with uids and gids', allow);
  for (const key of Object.keys(allow)) {
    if (!KEYS.includes(key))
      throw invalidValue(name, `must have no other keys than ${KEYS.join(', ')}`, allow);
  }
  return { uids: checkIds(uids, `${name}.uids`, 'uid'), gids: checkIds(gids, `${name}.gids`, 'gid') };
}

/** Plain objects of other realms, too. A Set or the like would admit no peer, as `{}` does. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function checkIds(ids: readonly number[] | undefined, name: string, kind: 'uid' | 'gid'): readonly number[] {
  if (ids === undefined) return [];
  if (!Array.isArray(ids)) throw invalidType(name, 'an instance of Array', ids);
  const checked = checkEach(ids, name, (id, each) => checkInteger(id, each, 0, LARGEST_ID));
  if (checked.length > 0) refuseOverflowId(checked, name, kind);
  return checked;
}

/**
 * In a user namespace the kernel shows one and the same number for every id that has none there
 * (user_namespaces(7)). To admit it would admit all of them.
 */
function refuseOverflowId(ids: readonly number[], name: string, kind: 'uid' | 'gid'): void {
  const overflow = Number(readIfAny(`/proc/sys/kernel/overflow${kind}`) ?? DEFAULT_OVERFLOW_ID);
  const index = ids.indexOf(overflow);
  if (index === -1 || mapsEveryId(kind)) return;
  const reason = `must not be the number of every ${kind} that is not mapped into this user namespace`;
  throw invalidValue(`${name}[${index}]`, reason, overflow);
}

const DEFAULT_OVERFLOW_ID = 65_534;

/** Whether no id lacks a number here, as in the initial user namespace. */
function mapsEveryId(kind: 'uid' | 'gid'): boolean {
  const map = readIfAny(`/proc/self/${kind}_map`) ?? '';
  const ranges = map.matchAll(/^\s*\d+\s+\d+\s+(\d+)$/gm);
  let ids = 0;
  for (const [, length] of ranges) ids += Number(length);
  return ids > LARGEST_ID;
}

/** Undefined where /proc, or a part of it, is missing or hidden, as in some sandboxes. */
function readIfAny(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** @throws the error of the system call, if the kernel does not report the credentials */
export function isAllowed(fd: number, { uids = [], gids = [] }: AllowedPeers): boolean {
  const { uid, gid } = peerCredentials(fd);
  if (uids.includes(uid) || gids.includes(gid)) return true;
  return gids.length > 0 && peerGroups(fd).some((group) => gids.includes(group));
}
