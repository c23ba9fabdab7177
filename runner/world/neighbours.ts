/**
 * The processes of the ranks that share this one's process table. A rank that was killed is seen there at once; its
 * heartbeats take seconds to be missed, and Open MPI ends the others one second after a death.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { startTimeoutMs } from './deadlines.js';
import type { World } from './world.js';

/** How often the processes are looked at: several times within the second that Open MPI 4.1 waits before its SIGTERM. */
const LOOK_EVERY_MS = 200;
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** Where a rank's process is found. */
export interface ProcessPlace {
  /** Kernel and process namespace: pids mean the same process only within one. Empty: not known. */
  readonly table: string;
  readonly pid: number;
  /** Clock ticks since the boot; it distinguishes a reused pid from the old one. */
  readonly startedAtTicks: number;
}

/** Start of a process in clock ticks since the boot, null where there is none or it has ended and is not reaped yet. */
function startOfProcess(pid: number): number | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The name comes second, in brackets, and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  /* v8 ignore next -- lost ranks */
  if (/[ZXx]/.test(fields[0] ?? '')) return null;
  return Number(fields[19]);
}

function ownPlace(): ProcessPlace {
  const startedAtTicks = startOfProcess(process.pid);
  try {
    const table = `${readFileSync(BOOT_ID, 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
    // v8 ignore next -- another machine
    if (startedAtTicks !== null) return { table, pid: process.pid, startedAtTicks };
  } catch {
    // As where the process itself is not found: there is no /proc.
  }
  /* v8 ignore next -- another machine */
  return { table: '', pid: process.pid, startedAtTicks: 0 };
}

/** Ranks of `places` whose process is gone, as far as `own` can see them. */
function goneRanks(places: readonly ProcessPlace[], own: ProcessPlace): number[] {
  /* v8 ignore next -- another machine */
  if (own.table === '') return [];
  return places.flatMap((place, rank) =>
    place.table === own.table && startOfProcess(place.pid) !== place.startedAtTicks ? [rank] : [],
  );
}

export class Neighbours {
  readonly #world: World;
  readonly #places: readonly ProcessPlace[];
  readonly #own: ProcessPlace;
  #timer: NodeJS.Timeout | undefined;

  private constructor(world: World, places: readonly ProcessPlace[], own: ProcessPlace) {
    this.#world = world;
    this.#places = places;
    this.#own = own;
  }

  /** Collective. */
  static async meet(world: World): Promise<Neighbours> {
    const own = ownPlace();
    return new Neighbours(world, await world.allgatherJson(own, startTimeoutMs()), own);
  }

  /** Looks again and again until close(): a rank that is gone ends the world by name. */
  watch(): void {
    this.#timer ??= setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  /** Looks now, as a launcher's signal may follow from a death. */
  look(): void {
    const [first] = goneRanks(this.#places, this.#own);
    if (first === undefined) return;
    this.#world.native.noteDead(first);
    this.close();
  }

  /** Before ranks may end in order. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
