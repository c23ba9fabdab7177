/** Every fault that another test file injects, in the order of the page. */
import { LIMIT_FAULTS, MPI_FAULTS } from './environment.js';
import { GPU_FAULTS, NETWORK_FAULTS } from './peers.js';
import type { FaultElsewhere } from './record.js';
import { END_FAULTS, STAGE_FAULTS } from './stages.js';

export const FAULTS_ELSEWHERE: readonly FaultElsewhere[] = [
  ...STAGE_FAULTS,
  ...END_FAULTS,
  ...MPI_FAULTS,
  ...LIMIT_FAULTS,
  ...NETWORK_FAULTS,
  ...GPU_FAULTS,
];
