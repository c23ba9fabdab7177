/**
 * A command line of railrunner that knows other kinds: node toy-kind.js run SPEC. Points of `toy` break its contract; `toy` and
 * `twin` keep each other's resources, `loner` keeps nobody's.
 */
import { defineKind } from '../../runner/job/kind.js';
import { column } from '../../runner/job/column.js';
import type { PointContext } from '../../runner/job/context.js';
import type { Measured, Verification } from '../../runner/job/measurement.js';
import { main } from '../../runner/main.js';

interface ToySpec {
  /** A column that the kind does not declare; `hops` is the one it does. */
  readonly fills: string;
  readonly verifies: boolean;
}

/** How often the resource that all of them keep was made. */
let numMade = 0;

const shared = {
  summary: 'Times nothing, for tests of what the engine demands of kinds.',
  schema: {
    type: 'object',
    properties: {
      fills: { type: 'string', default: 'hops', description: 'Column that rows fill.' },
      verifies: { type: 'boolean', default: true, description: 'Whether verify says anything.' },
    },
  },
  example: { iterations: 3 },
  columns: [column('hops', '', 'a column of its own'), column('made', '', 'resources made so far')],
  check: () => [],
  plan: () => ({ memoryBytes: { device: 0, host: 0, disk: 0 }, payloadBytes: 8 }),
  open: async (spec: ToySpec, { resources }: PointContext) => ({
    measure: async () => {
      await resources.acquire('toys', async () => {
        numMade += 1;
        const close = async (): Promise<void> => void process.stderr.write('a toy is closed\n');
        return { close, endsWithProcess: true };
      });
      const row = {
        state: 'measured',
        phase: 'total',
        timing: 'host',
        direction: '',
        samplesUs: Float64Array.of(1, 2, 3),
        bytes: { payload: 8 },
      } as const;
      // Past the compiler, as JavaScript would: a name that is known only at run time.
      const extra: Measured<'hops' | 'made'>['extra'] = JSON.parse(
        `{"${spec.fills}": 3, "made": ${numMade}}`,
      );
      return [{ ...row, ...(extra === undefined ? {} : { extra }) }];
    },
    verify: async (): Promise<Verification[]> =>
      spec.verifies ? [{ checked: 8, wrong: 0, firstBad: '' }] : [],
    close: async () => {},
  }),
} as const;

const define = defineKind<ToySpec>();
const toy = define({ ...shared, kind: 'toy', resourceGroup: 'toys' });
const twin = define({ ...shared, kind: 'twin', resourceGroup: 'toys' });
const loner = define({ ...shared, kind: 'loner' });

await main(process.argv.slice(2), {
  loadKinds: async () => [toy, twin, loner],
  loadModelReport: async () => () => ({ refusal: 'this registry has no models' }),
  loadSimulation: async () => async () => '',
});
