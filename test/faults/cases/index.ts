/** Every fault, in the order of the page. */
import type { FaultCase } from '../fault.js';
import { DEATH_FAULTS } from './deaths.js';
import { FILE_FAULTS } from './files.js';
import { OUTPUT_FAULTS } from './output.js';
import { SIGNAL_FAULTS } from './signals.js';
import { START_FAULTS } from './start.js';

export const FAULTS: readonly FaultCase[] = [
  ...START_FAULTS,
  ...SIGNAL_FAULTS,
  ...DEATH_FAULTS,
  ...FILE_FAULTS,
  ...OUTPUT_FAULTS,
];
