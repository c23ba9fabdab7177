/** A copy of the simulator whose engine has a defect: how it is seen that the simulator finds one. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';

/** In compiled code: `from` stands there once and becomes `to`. */
export interface Defect {
  readonly name: string;
  /** Below dist/runner. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Returns the program in `folder`. Throws where the code is not what the defect was made for. */
export function plant({ name, file, from, to }: Defect, folder: string): string {
  for (const part of ['package.json', 'dist/runner', 'dist/test/simulation', 'dist/test/helpers']) {
    cpSync(join(projectRoot, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
  const path = join(folder, 'dist', 'runner', file);
  const text = readFileSync(path, 'utf8');
  const parts = text.split(from);
  if (parts.length !== 2) {
    throw new Error(`${name}: expected "${from}" once in runner/${file}, found it ${parts.length - 1} times`);
  }
  writeFileSync(path, parts.join(to));
  return join(folder, 'dist', 'test', 'simulation', 'main.js');
}
