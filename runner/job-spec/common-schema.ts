/** The part of the schema that every spec and every job shares. Units are in the key names. */
import { LEAST_SAMPLES } from '../statistics/median-noise.js';
import { DEVICE_REQUESTS, VERIFY_MODES } from './types.js';

/** The keywords of JSON Schema that the code reads, and any others. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly [keyword: string]: unknown;
}

export const SCHEMA_DIALECT = 'https://json-schema.org/draft/2020-12/schema';

/** Largest integer that JSON numbers carry exactly. */
export const LARGEST_INTEGER = Number.MAX_SAFE_INTEGER;

/** Most points of one run; a product of sweeps beyond it is a slip, not a wish. */
export const MAX_POINTS = 100_000;

const seed = { type: 'integer', minimum: 0, maximum: LARGEST_INTEGER };

/** Keys of a job that `defaults` may set for the whole run. */
export const RUN_DEFAULT_KEYS: Readonly<Record<string, Schema>> = {
  warmup: {
    type: 'integer',
    minimum: 0,
    maximum: 1_000_000,
    default: 5,
    description: 'Iterations that are executed and not recorded.',
  },
  iterations: {
    type: 'integer',
    minimum: 1,
    maximum: 1_000_000,
    default: 50,
    description: 'Recorded samples.',
  },
  timeoutSeconds: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 86_400,
    default: 120,
    description: 'Deadline of each stage of a point.',
  },
  verify: {
    enum: VERIFY_MODES,
    default: 'full',
    description: 'How much of the data is compared after the last iteration.',
  },
  freeRunning: {
    type: 'boolean',
    default: false,
    description: 'No barrier between samples.',
  },
  probe: {
    type: 'boolean',
    default: true,
    description: 'Measure the limit of the same path in the same run, for pct_of_peak.',
  },
  saveSamples: { type: 'boolean', default: false, description: 'Keep every sample under samples/.' },
  stopping: {
    type: 'object',
    additionalProperties: false,
    properties: {
      maxNoisePct: {
        type: 'number',
        exclusiveMinimum: 0,
        maximum: 100,
        default: 0.5,
        description: 'Samples are taken until the noise of the median is at most this (docs/measuring.md).',
      },
      minIterations: {
        type: 'integer',
        minimum: LEAST_SAMPLES,
        maximum: 1_000_000,
        description: 'Samples of the first batch. Default 50, or maxIterations if that is less.',
      },
      maxIterations: {
        type: 'integer',
        minimum: LEAST_SAMPLES,
        maximum: 1_000_000,
        default: 10_000,
        description: 'Maximum number of samples.',
      },
      maxSeconds: {
        type: 'number',
        exclusiveMinimum: 0,
        maximum: 43_200,
        description:
          'No batch starts that would end later than this after the first warm-up. Default 15, or half of timeoutSeconds if that is less.',
      },
    },
    description: 'Instead of iterations: continue until the noise is low.',
  },
};

const comment = {
  anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
  description: 'For people; not read.',
};

export const COMMON_JOB_KEYS: Readonly<Record<string, Schema>> = {
  $comment: comment,
  id: {
    type: 'string',
    pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$',
    description: 'Name of the job, once in a spec: letters, digits, _ and -, at most 64.',
  },
  kind: { type: 'string', description: 'What the job does.' },
  seed: { ...seed, description: "Seed of the data and of the block order; absent: the run's." },
  ...RUN_DEFAULT_KEYS,
  sweep: {
    type: 'object',
    default: {},
    additionalProperties: { type: 'array', minItems: 1 },
    description:
      'Dotted key path -> list of values. The job runs once for each member of the product; the first key varies slowest.',
  },
  sweepTogether: {
    type: 'array',
    default: [],
    items: { type: 'object' },
    description:
      'Values that change together: rows of dotted key path -> value, all with the same paths. The job, with its sweep, runs once for each row.',
  },
};

export const RUN_KEYS: Readonly<Record<string, Schema>> = {
  $schema: { type: 'string', description: 'For editors; not read.' },
  $comment: comment,
  name: { type: 'string', minLength: 1, maxLength: 200, default: 'run', description: 'Name of the run.' },
  seed: { ...seed, default: 1, description: 'Seed of every job without its own.' },
  device: {
    enum: DEVICE_REQUESTS,
    default: 'auto',
    description: 'auto: cuda if every rank has a GPU, host if none has.',
  },
  ranksPerNode: {
    type: 'integer',
    minimum: 0,
    maximum: 1_000_000,
    default: 0,
    description: 'Split hosts into emulated nodes of this many ranks; 0: a node is a host.',
  },
  allowSharedDevice: {
    type: 'boolean',
    default: false,
    description: 'Allow several ranks on one GPU: functional only, such rows carry no times.',
  },
  defaults: {
    type: 'object',
    additionalProperties: false,
    default: {},
    properties: RUN_DEFAULT_KEYS,
    description: 'Defaults of all jobs.',
  },
};
