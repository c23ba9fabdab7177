/** The simulator of the engine as a program. */
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';

export const PROGRAM = join(projectRoot, 'dist', 'test', 'simulation', 'main.js');
