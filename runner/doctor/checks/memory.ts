import { availableMemory } from '../../preflight/memory.js';
import { textOf } from '../files.js';
import { defineCheck, type Observation } from '../finding.js';
import { formatBytes } from '../../text/bytes.js';

export interface MemoryReading {
  /** Of the machine or of a control group, whichever is least. */
  readonly availableBytes: number;
  /** What sets it: MemAvailable, or the file of a control group. */
  readonly source: string;
  readonly swapUsedBytes: number;
}

const LEAST_BYTES_PER_RANK = 1024 ** 3;
/** Some pages of idle programs are always out. */
const MUCH_SWAP_BYTES = 256 * 1024 ** 2;

/** From /proc/meminfo. */
export function swapUsed(meminfo: string): number {
  const value = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0) * 1024;
  return value('SwapTotal') - value('SwapFree');
}

export const memory = defineCheck<MemoryReading, 'little-memory' | 'swapping'>({
  name: 'memory',
  looksAt: 'host memory',
  kinds: {
    'little-memory': {
      severity: 'warning',
      when: 'less than 1 GiB of memory is available for each rank',
      consequence:
        'Only small pools fit; larger ones are refused before anything is allocated (E_MEMORY_FIT).',
      remedy: "End what else holds memory, raise the container's limit, or start fewer ranks.",
    },
    swapping: {
      severity: 'warning',
      when: 'the machine has pages on its swap device',
      consequence: 'Host pools may be swapped out between samples: single samples take milliseconds longer.',
      remedy: 'Free memory and `swapoff -a` (as root) while measuring.',
    },
  },
  read: () => {
    const { bytes, source } = availableMemory();
    return { availableBytes: bytes, source, swapUsedBytes: swapUsed(textOf('/proc/meminfo')) };
  },
  judge: ({ availableBytes, source, swapUsedBytes }, { ranksHere }) => {
    const found: Observation<'little-memory' | 'swapping'>[] = [];
    const available = `${formatBytes(availableBytes)} available (${source})`;
    if (availableBytes < ranksHere * LEAST_BYTES_PER_RANK) {
      found.push({ kind: 'little-memory', what: `${available} for ${ranksHere} ranks` });
    }
    if (swapUsedBytes > MUCH_SWAP_BYTES) {
      found.push({ kind: 'swapping', what: `${formatBytes(swapUsedBytes)} are swapped out` });
    }
    return found.length > 0 ? found : [{ kind: 'ok', what: available }];
  },
});
