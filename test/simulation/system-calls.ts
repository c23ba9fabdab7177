/**
 * Time as the code of a simulated process sees it: Node's timers, clocks and process id are replaced for it, and only for it.
 * So runner/ runs unchanged, as native/ does below the simulator's own definitions of the C library's functions.
 */
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import type { Event } from './clock.js';
import { currentProcess, type SimulatedProcess } from './rank-context.js';

const EPOCH_MS = Date.UTC(2030, 0, 1);
const LONGEST_MS = 2 ** 31 - 1;

const real = {
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
  clearTimeout: globalThis.clearTimeout,
  clearInterval: globalThis.clearInterval,
  now: performance.now.bind(performance),
  Date: globalThis.Date,
  pid: process.pid,
};

class VirtualTimer {
  readonly #process: SimulatedProcess;
  readonly #ms: number;
  readonly #callback: () => void;
  readonly #repeats: boolean;
  #event: Event;

  constructor(process: SimulatedProcess, callback: () => void, ms: number | undefined, repeats: boolean) {
    this.#process = process;
    this.#callback = callback;
    this.#ms = ms !== undefined && ms >= 1 && ms <= LONGEST_MS ? Math.trunc(ms) : 1;
    this.#repeats = repeats;
    process.timers.add(this);
    this.#event = this.#start();
  }

  /** A timer comes late, never early: mostly by little. */
  #start(): Event {
    const { random } = this.#process;
    const lateMs = random.chance(3) ? random.time(0, 30) : random.time(0, 0.3);
    return this.#process.after(this.#ms + lateMs, () => {
      if (this.#repeats) this.#event = this.#start();
      else this.#process.timers.delete(this);
      this.#callback();
    });
  }

  cancel(): void {
    this.#event.isCancelled = true;
    this.#process.timers.delete(this);
  }

  /** It does not hold the process. */
  unref(): this {
    this.#process.timers.delete(this);
    return this;
  }

  ref(): this {
    this.#process.timers.add(this);
    return this;
  }
}

type Callback = (...args: unknown[]) => void;

function starting(start: (callback: Callback, ms?: number, ...args: unknown[]) => unknown, repeats: boolean) {
  return (callback: Callback, ms?: number, ...args: unknown[]): unknown => {
    const process = currentProcess();
    if (process === undefined) return start(callback, ms, ...args);
    return new VirtualTimer(process, () => callback(...args), ms, repeats);
  };
}

function ending(clear: (timer: never) => void) {
  return (timer: unknown): void => {
    if (timer instanceof VirtualTimer) timer.cancel();
    else clear(timer as never);
  };
}

async function sleep<T>(ms?: number, value?: T): Promise<T | undefined> {
  return await new Promise((resolve) => globalThis.setTimeout(() => resolve(value), ms));
}

/** `new Date()` and Date.now() of a simulated process; everything else is Date's own. */
const VirtualDate = new Proxy(real.Date, {
  construct: (target, args: unknown[], self) => {
    const { clock } = currentProcess() ?? {};
    return Reflect.construct(target, clock && args.length === 0 ? [EPOCH_MS + clock.nowMs] : args, self);
  },
  get: (target, name, self) => {
    const { clock } = currentProcess() ?? {};
    if (name === 'now' && clock) return () => EPOCH_MS + Math.trunc(clock.nowMs);
    return Reflect.get(target, name, self) as unknown;
  },
});

/** Once per program, before any simulated process runs. */
export function replaceTime(): void {
  Object.assign(globalThis, {
    setTimeout: starting(real.setTimeout as never, false),
    setInterval: starting(real.setInterval as never, true),
    clearTimeout: ending(real.clearTimeout),
    clearInterval: ending(real.clearInterval),
    Date: VirtualDate,
  });
  performance.now = () => currentProcess()?.clock.nowMs ?? real.now();
  Object.assign(timersPromises, { setTimeout: sleep });
  Object.defineProperty(process, 'pid', { get: () => currentProcess()?.pid ?? real.pid });
  syncBuiltinESMExports();
}
