/** Every fault, in the order of the page. */
import type { FaultCase } from '../fault.js';
import { DEATH_FAULTS } from './deaths.js';
import { OUTPUT_FAULTS } from './output.js';
import { SIGNAL_FAULTS } from './signals.js';
import { START_FAULTS } from './start.js';

export const FAULTS: readonly FaultCase[] = [
  ...START_FAULTS,
  ...SIGNAL_FAULTS,
  ...DEATH_FAULTS,
  ...OUTPUT_FAULTS,
];
