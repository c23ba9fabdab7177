/**
 * The resolved spec as canonical text: what rank 0 broadcasts, the manifest records and the digest stands for.
 * A job's first point is written whole; the others as the keys in which they differ, so that ten thousand points
 * stay small.
 */
import { canonicalJson, deepFreeze, sha256Hex } from './canonical.js';
import type { FilePlaces } from './files.js';
import { isObject } from './pointer.js';
import { commonKeys } from './resolve-job.js';
import { RunnerError } from '../errors.js';
import type { JsonObject, JsonValue, Point, ResolvedJob, ResolvedSpec } from './types.js';

const FORMAT = 1;

interface PointText {
  readonly swept: JsonObject;
  readonly changes: JsonObject;
  readonly absent: readonly string[];
}

interface JobText {
  readonly index: number;
  readonly base: JsonObject;
  readonly points: readonly PointText[];
}

/** The keys outside the jobs. */
export type RunKeys = Pick<ResolvedSpec, 'name' | 'seed' | 'device' | 'ranksPerNode' | 'allowSharedDevice'>;

interface RunText extends RunKeys {
  readonly format: number;
  readonly jobs: readonly JobText[];
}

function pointText(base: JsonObject, point: Omit<Point, 'index'>): PointText {
  const differs = ([key, value]: [string, JsonValue]): boolean => {
    const other = base[key];
    if (Object.is(other, value)) return false;
    const nested = typeof value === 'object' && typeof other === 'object';
    return !nested || canonicalJson(other) !== canonicalJson(value);
  };
  const changes = Object.fromEntries(Object.entries(point.spec).filter(differs));
  const absent = Object.keys(base).filter((key) => !Object.hasOwn(point.spec, key));
  return { swept: point.swept, changes, absent };
}

/** Canonical text of the run; `points` lie in order, every job's together. */
export function writeResolvedText(run: RunKeys, points: readonly Omit<Point, 'index'>[]): string {
  const jobs: { index: number; base: JsonObject; points: PointText[] }[] = [];
  for (const point of points) {
    let job = jobs.at(-1);
    if (job === undefined || job.index !== point.jobIndex) {
      job = { index: point.jobIndex, base: point.spec, points: [] };
      jobs.push(job);
    }
    job.points.push(pointText(job.base, point));
  }
  const text: RunText = { format: FORMAT, ...run, jobs };
  return canonicalJson(text);
}

function isRunText(value: unknown): value is RunText {
  if (!isObject(value) || value['format'] !== FORMAT || !Array.isArray(value['jobs'])) return false;
  const plain = typeof value['name'] === 'string' && typeof value['device'] === 'string';
  const whole = Number.isSafeInteger(value['seed']) && Number.isSafeInteger(value['ranksPerNode']);
  const jobs = value['jobs'].every((job: unknown) => {
    if (!isObject(job) || !Number.isSafeInteger(job['index']) || !isObject(job['base'])) return false;
    if (typeof job['base']['kind'] !== 'string' || !Array.isArray(job['points'])) return false;
    return job['points'].every(
      (point: unknown) =>
        isObject(point) &&
        isObject(point['swept']) &&
        isObject(point['changes']) &&
        Array.isArray(point['absent']),
    );
  });
  return plain && whole && typeof value['allowSharedDevice'] === 'boolean' && jobs;
}

/** Rebuilds the resolved spec on a rank that received its text, and where rank 0 found the files of it. */
export function parseResolvedSpec(canonicalText: string, files: FilePlaces): ResolvedSpec {
  let value: unknown;
  try {
    value = JSON.parse(canonicalText);
  } catch (error) {
    throw new RunnerError('E_WORLD_LOST', 'the resolved spec arrived damaged: expected JSON', {
      cause: error,
    });
  }
  if (!isRunText(value)) {
    const message = `the resolved spec arrived damaged: expected format ${FORMAT} with name, device, seed and jobs`;
    throw new RunnerError('E_WORLD_LOST', message);
  }
  const { format: _, jobs: jobTexts, ...run } = value;
  let index = 0;
  const jobs = jobTexts.map((job): ResolvedJob => {
    const points = job.points.map((text): Point => {
      const kept = Object.entries(job.base).filter(([key]) => !text.absent.includes(key));
      const spec: JsonObject = { ...Object.fromEntries(kept), ...text.changes };
      return { index: index++, job: commonKeys(spec), jobIndex: job.index, spec, swept: text.swept, files };
    });
    return { common: commonKeys(job.base), index: job.index, points };
  });
  const points = jobs.flatMap((job) => job.points);
  return deepFreeze({
    ...run,
    jobs,
    points,
    files,
    assumed: [],
    canonicalText,
    digest: sha256Hex(canonicalText),
  });
}
