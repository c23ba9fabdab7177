/** A key that stands for other work from some run on has no course over that run. */
import t from 'tap';
import { changesOf } from '../../../runner/compare/history.js';
import type { RunTable } from '../../../runner/compare/run-table.js';
import { Random } from '../../../scripts/bench/random.js';

const KEY = ['offload', 'down', '{}', '2', 'total', 'host', 'device->host'].join('\u0000');
const machine = { device: 'host', deviceName: 'x', cpuModel: null, driverMajor: null, nccl: null, mpi: null };

function history(
  levels: readonly { readonly series: string; readonly runs: number; readonly log: number }[],
): RunTable[] {
  const random = new Random(3);
  return levels
    .flatMap(({ series, runs, log }) => Array.from({ length: runs }, () => ({ series, log })))
    .map(({ series, log }, at): RunTable => {
      const cell = { status: 'ok', series, point: 0, job: {}, log: log + 0.005 * random.normal() } as const;
      return {
        name: `run-${at}`,
        startedAt: new Date(at * 86_400_000),
        machine: { ...machine, layout: '2' },
        cells: new Map([[KEY, cell]]),
        problems: [],
      };
    });
}

t.test('another series is no other level', async (t) => {
  const blocks16 = { series: 's1', runs: 20, log: 1 };
  t.match(changesOf(history([blocks16, { series: 's1', runs: 20, log: 2 }])), [
    /\+17\d\.\d % from run run-20 on/,
  ]);
  t.same(changesOf(history([blocks16, { series: 's2', runs: 20, log: 2 }])), [], 'the job was changed');
  const later = [blocks16, { series: 's2', runs: 20, log: 2 }, { series: 's2', runs: 20, log: 2.1 }];
  t.match(changesOf(history(later)), [/\+1\d\.\d % from run run-40 on/], 'and within the newest it is found');
});
