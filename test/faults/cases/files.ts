/** Result files that somebody else changes, or that cannot be written. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultCase } from '../fault.js';

export const FILE_FAULTS: readonly FaultCase[] = [
  {
    id: 'row-file-replaced',
    fault: 'an editor saves the row file of rank 1, under a new inode, while the run writes it',
    startedBy: 'mpirun',
    workload: 'sweep',
    strike: async (rig) => {
      await rig.untilRows(1);
      const path = join(rig.folder, 'rank-0001.csv');
      const text = readFileSync(path, 'utf8');
      rmSync(path);
      writeFileSync(path, text.slice(0, text.lastIndexOf('\n') + 1));
    },
    ending: {
      outcome: 'incomplete',
      status: [3],
      named: 'rank 1, its host and the file',
      says: /rank 1 on \S+: .*rank-0001\.csv was deleted or replaced/,
      rows: 'all',
      lostRanks: [1],
    },
    always: true,
  },
];
