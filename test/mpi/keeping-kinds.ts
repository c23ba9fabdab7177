/**
 * A command line of railrunner with kinds that keep a resource: node keeping-kinds.js run SPEC. `first` and `second` keep each
 * other's, `loner` keeps nobody's. Rows say how often it was made.
 */
import { column } from '../../runner/job/column.js';
import type { PointContext } from '../../runner/job/context.js';
import { defineKind } from '../../runner/job/kind.js';
import type { Measured } from '../../runner/job/measurement.js';
import { main } from '../../runner/main.js';

let numMade = 0;

async function make(): Promise<{ close(): Promise<void>; endsWithProcess: boolean }> {
  numMade += 1;
  const close = async (): Promise<void> => void process.stderr.write('the resource is closed\n');
  return { close, endsWithProcess: true };
}

const shared = {
  summary: 'Times nothing, for tests of what lives on between jobs.',
  schema: { type: 'object', properties: {} },
  example: { iterations: 3 },
  columns: [column('made', '', 'resources made so far')],
  check: () => [],
  plan: () => ({ memoryBytes: { device: 0, host: 0, disk: 0 }, payloadBytes: 8 }),
  open: async (_spec: unknown, { resources }: PointContext) => ({
    measure: async (): Promise<Measured<'made'>[]> => {
      await resources.acquire('resource', make);
      return [
        {
          state: 'measured',
          phase: 'total',
          timing: 'host',
          direction: '',
          samplesUs: Float64Array.of(1, 2, 3),
          bytes: { payload: 8 },
          extra: { made: numMade },
        },
      ];
    },
    verify: async () => [{ phase: 'total', checked: 8, wrong: 0, firstBad: '' }],
    close: async () => {},
  }),
} as const;

const define = defineKind<unknown>();
const kinds = [
  define({ ...shared, kind: 'first', resourceGroup: 'both' }),
  define({ ...shared, kind: 'second', resourceGroup: 'both' }),
  define({ ...shared, kind: 'loner' }),
];

await main(process.argv.slice(2), {
  loadKinds: async () => kinds,
  loadModelReport: async () => () => ({ refusal: 'this registry has no models' }),
  loadSimulation: async () => async () => '',
});
