import { defineCheck, type Observation } from '../finding.js';
import { usableGpus, type DoctorContext } from '../context.js';
import { deviceOf, fitRefusals, skippedPoints, worldRefusals, type SkippedPoints } from '../spec-needs.js';
import { counted } from '../../text/plural.js';

export interface SpecReading {
  readonly numPoints: number;
  /** Null: the device is refused. */
  readonly device: 'host' | 'cuda' | null;
  readonly deviceRefusal: string;
  readonly allowSharedDevice: boolean;
  readonly worldRefusals: readonly string[];
  readonly fitRefusals: readonly string[];
  readonly skipped: readonly SkippedPoints[];
}

type Kind =
  | 'device-refused'
  | 'gpu-shared'
  | 'world-refused'
  | 'does-not-fit'
  | 'all-points-skipped'
  | 'points-skipped';

/** A list of more would hide the rest of the answer. */
const MOST_SENTENCES = 4;

function sentences(all: readonly string[]): string {
  const shown = all.slice(0, MOST_SENTENCES).join('; ');
  return all.length > MOST_SENTENCES ? `${shown}; and ${all.length - MOST_SENTENCES} more` : shown;
}

/** "points 0-3, 7" */
function pointList(points: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < points.length;) {
    let end = i;
    while (points[end + 1] === (points[end] ?? 0) + 1) end += 1;
    parts.push(end === i ? `${points[i]}` : `${points[i]}-${points[end]}`);
    i = end + 1;
  }
  return `point${points.length === 1 ? '' : 's'} ${parts.join(', ')}`;
}

function readSpec(context: DoctorContext): SpecReading | null {
  const { job } = context;
  if (!job) return null;
  const decided = deviceOf(context, job);
  const device = 'kind' in decided ? decided.kind : null;
  const refusals = worldRefusals(context, job);
  return {
    numPoints: job.spec.points.length,
    device,
    deviceRefusal: 'refusal' in decided ? decided.refusal : '',
    allowSharedDevice: job.spec.allowSharedDevice,
    worldRefusals: refusals,
    // A plan for a world that the rules refuse has no meaning.
    fitRefusals: device && refusals.length === 0 ? fitRefusals(context, job, device) : [],
    skipped: device ? skippedPoints(context, job, device) : [],
  };
}

export const spec = defineCheck<SpecReading | null, Kind>({
  name: 'spec',
  looksAt: 'the given spec, with --world-size ranks',
  kinds: {
    'device-refused': {
      severity: 'blocks',
      when: "the spec's device is not here",
      consequence: 'All points are refused before the first (E_DEVICE_MISSING).',
      remedy: 'Run it on a machine with a GPU, or with --device host or auto.',
    },
    'gpu-shared': {
      severity: 'blocks',
      when: 'the spec runs on cuda, and more ranks are here than GPUs',
      consequence: 'All points are refused before the first (E_DEVICE_SHARED).',
      remedy:
        'Start at most one rank per GPU, use --device host, or set allowSharedDevice (functional only: no times).',
    },
    'world-refused': {
      severity: 'blocks',
      when: 'a rule of the spec does not hold with this number of ranks',
      consequence: 'All points are refused before the first (E_SPEC_INVALID).',
      remedy: 'Start another number of ranks (here: --world-size), or change the keys that are named.',
    },
    'does-not-fit': {
      severity: 'blocks',
      when: 'a point needs more memory or disk than is free',
      consequence: 'All points are refused before anything is allocated (E_MEMORY_FIT).',
      remedy:
        'Use fewer blocks or tokens, smaller pools, or fewer ranks; `railrunner plan` shows the need of each point.',
    },
    'all-points-skipped': {
      severity: 'blocks',
      when: 'every point of the spec is one that this machine skips',
      consequence: 'The run would succeed without a single measurement: every row skipped.',
      remedy: 'Run it where the points can run, or change what is named.',
    },
    'points-skipped': {
      severity: 'warning',
      when: 'some points of the spec are ones that this machine skips',
      consequence:
        'Their rows say skipped, with the reason; the other points run, and the exit status is not touched.',
      remedy: 'None needed where the spec is meant for several machines; else change what is named.',
    },
  },
  read: readSpec,
  judge: (reading, { ranksHere, worldSize, probes }) => {
    if (!reading) return [];
    const found: Observation<Kind>[] = [];
    const { device, deviceRefusal, skipped, numPoints } = reading;
    if (device === null) found.push({ kind: 'device-refused', what: deviceRefusal });
    const gpus = usableGpus(probes);
    if (device === 'cuda' && ranksHere > gpus && !reading.allowSharedDevice) {
      found.push({ kind: 'gpu-shared', what: `${counted(ranksHere, 'rank')} on ${counted(gpus, 'GPU')}` });
    }
    if (reading.worldRefusals.length > 0) {
      const what = `with ${counted(worldSize, 'rank')}: ${sentences(reading.worldRefusals)}`;
      found.push({ kind: 'world-refused', what });
    }
    if (reading.fitRefusals.length > 0) {
      found.push({ kind: 'does-not-fit', what: sentences(reading.fitRefusals) });
    }
    const numSkipped = skipped.reduce((sum, { points }) => sum + points.length, 0);
    if (numSkipped > 0) {
      const kind = numSkipped === numPoints ? 'all-points-skipped' : 'points-skipped';
      found.push(
        ...skipped.map(({ reason, points }) => ({ kind, what: `${pointList(points)}: ${reason}` }) as const),
      );
    }
    if (found.some(({ kind }) => kind !== 'points-skipped')) return found;
    const what = `${numPoints - numSkipped} of ${counted(numPoints, 'point')} can run on ${counted(worldSize, 'rank')}, device ${device}`;
    return [...found, { kind: 'ok', what }];
  },
});
