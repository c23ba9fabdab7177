/** A railrunner with a part of its native build. */
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';

/** The project's own files in `folder`, with only these files of the native build; returns the command. */
export function copyWithout(folder: string, native: readonly string[]): string {
  for (const part of ['bin', 'package.json', 'dist/runner', 'dist/jobs', 'configs']) {
    cpSync(join(projectRoot, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, 'build', 'Release'), { recursive: true });
  for (const name of native)
    cpSync(join(projectRoot, 'build', 'Release', name), join(folder, 'build', 'Release', name));
  return join(folder, 'bin', 'railrunner');
}
