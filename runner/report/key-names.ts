/** How trackers call a key: readable, unique within a report, and the same in every run. */
import { sweptText } from '../results/params.js';
import type { Key } from './model.js';
import { itemAt } from '../values/items.js';
import { parseJsonObject } from '../values/json.js';

export function paramsForPeople(params: string): string {
  return sweptText(parseJsonObject(params));
}

/** `kv/down/total/host/device->host blocks=64 @4+4`: spec, job, phase, timing, direction, swept values, layout. */
function keyName(key: Key): string {
  const place = [key.specName, key.jobId, key.phase || 'point', key.timing, key.direction];
  const swept = paramsForPeople(key.params);
  return `${place.filter((part) => part !== '').join('/')}${swept && ` ${swept}`} @${key.layout.replaceAll(' ', '-')}`;
}

/** Bencher takes at most 1024 characters, and a suffix must fit. */
const LONGEST_NAME = 900;

/** Names of all keys. A name that is too long, or would appear twice (one spec on two devices), ends in its series. */
export function uniqueNames(keys: readonly Key[]): string[] {
  const names = keys.map(keyName);
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return names.map((name, at) => {
    if (counts.get(name) === 1 && name.length <= LONGEST_NAME) return name;
    return `${name.slice(0, LONGEST_NAME)} #${itemAt(keys, at).series}`;
  });
}
