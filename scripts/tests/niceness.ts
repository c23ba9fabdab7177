/** Who comes first where test files want more processor time than there is. */
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** About a third of the time that a process of niceness 0 gets where both want it. */
export const GIVING_WAY = 5;

/** Sets the niceness of a process that leads a session of its own. It is only kind to others: what fails is let be. */
export function setNiceness(pid: number, niceness: number): void {
  try {
    setPriority(pid, niceness);
    // Where the kernel shares time between sessions first (sched_autogroup), only the session's own niceness counts.
    writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    return; // the process has ended, or the kernel has no such file
  }
}
