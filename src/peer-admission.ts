/** Whom a server admits, by the kernel's word for who they are. */
import { checkInteger, checkOptions, eachOf } from './arguments';
import { invalidType } from './errors';
import { REMOTE_CREDENTIALS } from './options';

/** Who has one of these user or group numbers, as effective or supplementary group, is admitted. */
export interface AllowedPeers {
  uids?: readonly number[] | undefined;
  gids?: readonly number[] | undefined;
}

const LARGEST_ID = 0xffff_fffe;

export function checkAllowedPeers(allow: AllowedPeers): AllowedPeers {
  const { uids, gids } = checkOptions(allow);
  return { uids: checkIds(uids, 'options.allow.uids'), gids: checkIds(gids, 'options.allow.gids') };
}

function checkIds(ids: readonly number[] | undefined, name: string): readonly number[] {
  if (ids === undefined) return [];
  if (!Array.isArray(ids)) throw invalidType(name, 'an instance of Array', ids);
  return eachOf(ids, name, (id, each) => checkInteger(id, each, 0, LARGEST_ID));
}

export function isAllowed(fd: number, { uids = [], gids = [] }: AllowedPeers): boolean {
  const { uid, gid, groups } = REMOTE_CREDENTIALS.get({ fd });
  return uids.includes(uid) || [gid, ...groups].some((each) => gids.includes(each));
}
