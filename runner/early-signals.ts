/**
 * The first thing that the process does: Node opens its debugger port on SIGUSR1 while nobody listens for it, and a
 * scheduler's wish that comes during the start would be lost. It imports nothing, so that it is there at once.
 */
let held: NodeJS.Signals | undefined;

/** From now on SIGUSR1 is remembered until a run asks for it. */
export function holdEarlySignals(): void {
  process.on('SIGUSR1', () => (held ??= 'SIGUSR1'));
}

/** The signal that came before the run could take it, once. */
export function takeHeldSignal(): NodeJS.Signals | undefined {
  const taken = held;
  held = undefined;
  return taken;
}
