/** How a child process ended, as a shell tells it. */
import { constants } from 'node:os';

/** Its own exit status, or 128 and the number of the signal that ended it. Node gives one of the two. */
export function childStatus(status: number | null, signal: NodeJS.Signals | null): number {
  if (status !== null) return status;
  if (signal === null) throw new Error('a child process ended with neither a status nor a signal');
  return 128 + constants.signals[signal];
}
