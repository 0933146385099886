/** Admission of peers by their credentials, verified by the kernel. */
import { readFileSync } from 'node:fs';
import { checkEach, checkInteger, checkOptions } from '../arguments';
import { invalidType, invalidValue } from '../errors';
import { peerCredentials, peerGroups } from '../system/peer-credentials';

/**
 * The peers to admit. A peer is admitted if its uid is in `uids`, or if its gid or one of its supplementary groups is
 * in `gids` (SO_PEERCRED and SO_PEERGROUPS in unix(7)).
 */
export interface AllowedPeers {
  uids?: readonly number[] | undefined;
  gids?: readonly number[] | undefined;
}

const ALLOWED_KEYS = ['uids', 'gids'];

const LARGEST_ID = 0xffff_fffe;

export function checkAllowedPeers(allow: AllowedPeers, name: string): AllowedPeers {
  const { uids, gids } = checkOptions(allow, name);
  if (!isPlain(allow)) throw invalidType(name, 'a plain object with uids and gids', allow);
  for (const key of Object.keys(allow)) {
    if (!ALLOWED_KEYS.includes(key))
      throw invalidValue(name, `must have no other keys than ${ALLOWED_KEYS.join(', ')}`, allow);
  }
  return { uids: checkIds(uids, `${name}.uids`, 'uid'), gids: checkIds(gids, `${name}.gids`, 'gid') };
}

/** Whether a value is a plain object, of any realm. A Set, for example, would admit no peer, just as `{}`. */
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
 * Refuses the overflow id. In a user namespace, the kernel reports this one number for every unmapped id
 * (user_namespaces(7)), so that it would admit all unmapped users or groups.
 */
function refuseOverflowId(ids: readonly number[], name: string, kind: 'uid' | 'gid'): void {
  const overflow = Number(readIfPresent(`/proc/sys/kernel/overflow${kind}`) ?? DEFAULT_OVERFLOW_ID);
  const index = ids.indexOf(overflow);
  if (index === -1 || mapsEveryId(kind)) return;
  const reason = `must not be the overflow ${kind}, which stands for every ${kind} that is not mapped into this user namespace`;
  throw invalidValue(`${name}[${index}]`, reason, overflow);
}

const DEFAULT_OVERFLOW_ID = 65_534;

/** Whether this user namespace maps every id, as the initial one does. */
function mapsEveryId(kind: 'uid' | 'gid'): boolean {
  const map = readIfPresent(`/proc/self/${kind}_map`) ?? '';
  const ranges = map.matchAll(/^\s*\d+\s+\d+\s+(\d+)$/gm);
  let ids = 0;
  for (const [, length] of ranges) ids += Number(length);
  return ids > LARGEST_ID;
}

/** Reads a file of /proc; undefined if it is missing or hidden, as in some sandboxes. */
function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Whether a peer is admitted.
 *
 * @throws the error of getsockopt(2), if the kernel does not report the credentials
 */
export function isAllowed(fd: number, { uids = [], gids = [] }: AllowedPeers): boolean {
  const { uid, gid } = peerCredentials(fd);
  if (uids.includes(uid) || gids.includes(gid)) return true;
  return gids.length > 0 && peerGroups(fd).some((group) => gids.includes(group));
}
