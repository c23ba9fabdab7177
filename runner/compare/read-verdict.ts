/** verdict.json, of `ab` or of `compare --json`, read back: a file is hostile until it is checked. */
import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import { RunnerError, messageOf } from '../errors.js';
import { WORDS, type Basis, type Verdict } from './verdict.js';

const BASES: readonly Basis[] = ['confirmed', 'test', 'effect size', 'none'];
const TEXT = { type: 'string' } as const;
const TEXTS = { type: 'array', items: TEXT } as const;
const NUMBER_OR_NONE = { type: ['number', 'null'] } as const;

const SCHEMA = {
  type: 'object',
  required: ['version', 'baseline', 'candidate', 'keys', 'problems', 'notes', 'controlTripped'],
  properties: {
    version: { const: 1 },
    baseline: TEXT,
    candidate: TEXT,
    problems: TEXTS,
    notes: TEXTS,
    controlTripped: { type: 'boolean' },
    keys: {
      type: 'array',
      items: {
        type: 'object',
        required: ['key', 'word', 'basis', 'estimate', 'numPairs', 'slowerShare', 'why'],
        properties: {
          key: TEXT,
          word: { enum: WORDS },
          basis: { enum: BASES },
          estimate: {
            anyOf: [
              { type: 'null' },
              {
                type: 'object',
                required: ['changePct', 'lowPct', 'highPct', 'mdePct'],
                properties: {
                  changePct: { type: 'number' },
                  lowPct: NUMBER_OR_NONE,
                  highPct: NUMBER_OR_NONE,
                  mdePct: NUMBER_OR_NONE,
                },
              },
            ],
          },
          numPairs: { type: 'integer', minimum: 0 },
          slowerShare: NUMBER_OR_NONE,
          why: TEXT,
        },
      },
    },
  },
} as const;

/** Rejects with E_RUN_READ, naming what is wrong. */
export async function readVerdict(path: string): Promise<Verdict> {
  const refuse = (what: string, cause?: unknown): RunnerError =>
    new RunnerError(
      'E_RUN_READ',
      `${path}: ${what}; expected verdict.json of \`ab\`, or a file of \`compare --json\`, of this version`,
      { cause },
    );
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw refuse(messageOf(error), error);
  }
  const ajv = new Ajv({ allErrors: false, allowUnionTypes: true });
  if (ajv.validate<Verdict>(SCHEMA, value)) return value;
  throw refuse(ajv.errorsText(ajv.errors, { dataVar: 'verdict' }));
}
