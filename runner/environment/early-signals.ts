/**
 * SIGUSR1 before the first line of a run. From its own start on, long before any JavaScript, Node answers that signal with a
 * debugger port on 127.0.0.1:9229, through which everyone on the host can run code as this user; a scheduler's wish that
 * comes then would be lost as well. Node 20 has no option against it (--disable-sigusr1 came with 22.14), so
 * bin/railrunner starts Node with NODE_WORDS: the port then belongs to the broadcast address, to which Linux refuses every
 * TCP connection, and nothing is printed. This module closes it as its first act and takes it for the signal that it was.
 * It imports nothing that has to be loaded from a file, so that it is there at once.
 */
import { createRequire } from 'node:module';

/** Nobody can connect to it: connect() of Linux answers ENETUNREACH. */
const NO_HOST = '255.255.255.255';
/** Words between Node and the command wherever railrunner starts itself; the second line of bin/railrunner has the same. */
export const NODE_WORDS: readonly string[] = [`--inspect-port=${NO_HOST}:0`, '--inspect-publish-uid=http'];

/** Node opens the port from a thread of its own: it may come a little after this module. */
const LOOK_AGAIN_AFTER_MS = [0, 50, 500];

let held: 'SIGUSR1' | undefined;

/** From now on SIGUSR1 is remembered until a run asks for it. */
export function holdEarlySignals(): void {
  process.on('SIGUSR1', () => (held ??= 'SIGUSR1'));
  closeDebugger();
  for (const afterMs of LOOK_AGAIN_AFTER_MS) setTimeout(closeDebugger, afterMs).unref();
}

/** The signal that came before the run could take it, once. */
export function takeHeldSignal(): 'SIGUSR1' | undefined {
  closeDebugger();
  const taken = held;
  held = undefined;
  return taken;
}

function closeDebugger(): void {
  if (!process.features.inspector || isDebugged()) return;
  // Not imported: that would load it in every process. The name decides its type.
  const inspector = createRequire(import.meta.url)('node:inspector') as typeof import('node:inspector');
  if (inspector.url() === undefined) return;
  inspector.close();
  held ??= 'SIGUSR1';
}

/** Somebody asked for a debugger, or for code that may open one: `node --inspect bin/railrunner`, an editor's terminal. */
function isDebugged(): boolean {
  const words = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)];
  return words.some((word) => /^(--inspect(-brk|-wait)?|--require|-r|--import)(=|$)/.test(word));
}
