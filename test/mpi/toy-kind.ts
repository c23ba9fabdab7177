/** A command line of railrunner that knows one more kind, `toy`: node toy-kind.js run SPEC. Its points break its contract. */
import { defineKind } from '../../runner/job/kind.js';
import { column } from '../../runner/job/column.js';
import type { Measured, Verification } from '../../runner/job/measurement.js';
import { main } from '../../runner/main.js';

interface ToySpec {
  /** A column that the kind does not declare; `hops` is the one it does. */
  readonly fills: string;
  readonly verifies: boolean;
}

const toy = defineKind<ToySpec>()({
  kind: 'toy',
  summary: 'Times nothing, for tests of what the engine demands of kinds.',
  schema: {
    type: 'object',
    properties: {
      fills: { type: 'string', default: 'hops', description: 'Column that rows fill.' },
      verifies: { type: 'boolean', default: true, description: 'Whether verify says anything.' },
    },
  },
  example: { iterations: 3 },
  columns: [column('hops', '', 'a column of its own')],
  check: () => [],
  plan: () => ({ memoryBytes: { device: 0, host: 0, disk: 0 }, payloadBytes: 8 }),
  open: async (spec) => ({
    measure: async () => {
      const row = {
        state: 'measured',
        phase: 'total',
        timing: 'host',
        direction: '',
        samplesUs: Float64Array.of(1, 2, 3),
        bytes: { payload: 8 },
      } as const;
      // Past the compiler, as JavaScript would: a name that is known only at run time.
      const extra: Measured<'hops'>['extra'] = JSON.parse(`{"${spec.fills}": 3}`);
      return [{ ...row, ...(extra === undefined ? {} : { extra }) }];
    },
    verify: async (): Promise<Verification[]> =>
      spec.verifies ? [{ checked: 8, wrong: 0, firstBad: '' }] : [],
    close: async () => {},
  }),
});

await main(process.argv.slice(2), {
  loadKinds: async () => [toy],
  loadModelReport: async () => () => ({ refusal: 'this registry has no models' }),
  loadSimulation: async () => async () => '',
});
