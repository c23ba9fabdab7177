/** Which points of a spec a run takes: all, one shard of them, or those that were named. */
import { RunnerError } from '../errors.js';
import type { Variables } from '../environment/variables.js';
import type { Point } from '../job-spec/types.js';
import type { ShardPlace } from '../run-folder/manifest-reader.js';
import { parseNumberList } from '../text/ranges.js';
import { recordOf } from '../values/objects.js';

export interface Selection {
  readonly shard: ShardPlace | undefined;
  /** Point numbers; undefined: all. */
  readonly points: readonly number[] | undefined;
}

/** What the command line says, not yet checked. */
export interface SelectionRequest {
  /** `I/N`, or `slurm`. */
  readonly shard: string | undefined;
  /** `0,3,7-9` */
  readonly points: string | undefined;
}

const LARGEST_SHARD_COUNT = 100_000;

/** Throws E_USAGE. */
export function readSelection(request: SelectionRequest, variables: Variables, numPoints: number): Selection {
  const { shard, points } = request;
  return {
    shard: shard === undefined ? undefined : shard === 'slurm' ? slurmShard(variables) : parseShard(shard),
    points: points === undefined ? undefined : parsePoints(points, numPoints),
  };
}

/** Every N-th point, so that a sweep's cheap and expensive points are spread over the shards. */
export function selectPoints(all: readonly Point[], { shard, points }: Selection): Point[] {
  const named = points === undefined ? undefined : new Set(points);
  return all.filter(
    ({ index }) =>
      (named === undefined || named.has(index)) &&
      (shard === undefined || index % shard.count === shard.index - 1),
  );
}

function parseShard(text: string): ShardPlace {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(text);
  const [index, count] = [Number(match?.[1]), Number(match?.[2])];
  if (match && index >= 1 && index <= count && count <= LARGEST_SHARD_COUNT) return { index, count };
  throw new RunnerError(
    'E_USAGE',
    `--shard: expected I/N with I from 1 to N, for example 2/8, or slurm; received ${JSON.stringify(text)}`,
  );
}

const SLURM = {
  id: 'SLURM_ARRAY_TASK_ID',
  count: 'SLURM_ARRAY_TASK_COUNT',
  min: 'SLURM_ARRAY_TASK_MIN',
  max: 'SLURM_ARRAY_TASK_MAX',
  step: 'SLURM_ARRAY_TASK_STEP',
} as const;

/** The task's place in its array. An array with gaps would leave points out, so it is refused. */
function slurmShard(variables: Variables): ShardPlace {
  const values = Object.values(SLURM).map((name) => `${name}=${variables[name] ?? '(not set)'}`);
  const read = (name: string, fallback?: number): number => {
    const text = variables[name];
    return text === undefined && fallback !== undefined
      ? fallback
      : /^\d+$/.test(text ?? '')
        ? Number(text)
        : NaN;
  };
  const { id, count, min, max } = recordOf(['id', 'count', 'min', 'max'], (name) => read(SLURM[name]));
  const step = read(SLURM.step, 1);
  const place = (id - min) / step;
  const whole =
    Number.isSafeInteger(place) && place >= 0 && place < count && (max - min) / step === count - 1;
  if (whole && count <= LARGEST_SHARD_COUNT) return { index: place + 1, count };
  throw new RunnerError(
    'E_USAGE',
    `--shard slurm: expected a task of a job array without gaps; received ${values.join(', ')}. ` +
      'Submit with sbatch --array=1-N, or name the shard: --shard I/N',
  );
}

function parsePoints(text: string, numPoints: number): number[] {
  const points = parseNumberList(text, numPoints);
  if (points) return points;
  throw new RunnerError(
    'E_USAGE',
    `--points: expected numbers and ranges from 0 to ${numPoints - 1}, for example 0,3,7-9; ` +
      `received ${JSON.stringify(text)}. \`railrunner plan\` lists the points`,
  );
}
