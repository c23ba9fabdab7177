/** Every fault, in the order of the page. */
import type { FaultCase } from '../fault.js';
import { OUTPUT_FAULTS } from './output.js';

export const FAULTS: readonly FaultCase[] = [...OUTPUT_FAULTS];
