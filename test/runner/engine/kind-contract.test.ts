import t from 'tap';
import { requireOwnColumns } from '../../../runner/engine/kind-contract.js';
import type { JobKind } from '../../../runner/job/kind.js';
import { measurementOf } from '../../helpers/result-samples.js';

t.test('a column that the kind did not declare fails the point, with those that it did', async (t) => {
  const kindOf = (...names: string[]): JobKind =>
    ({ kind: 'toy', columns: names.map((name) => ({ name })) }) as unknown as JobKind;
  const measured = [measurementOf({ extra: { hops: 3 } })];
  requireOwnColumns(kindOf('hops', 'loops'), measured);
  const refused = (kind: JobKind, declared: string): void => {
    const message = `columns that the kind declares (${declared}), received hops. Declare them in the kind's columns.`;
    t.throws(() => requireOwnColumns(kind, measured), {
      code: 'E_STATE',
      message: `kind toy, phase total: expected ${message}`,
    });
  };
  refused(kindOf('loops', 'jumps'), 'loops, jumps');
  refused(kindOf(), 'none');
});
