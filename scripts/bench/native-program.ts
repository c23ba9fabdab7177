/** Benchmarks that are native programs: built from the checkout, their output is the CSV. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';

export interface NativeBench {
  readonly program: string;
  /** The command line that runs the built program, which lies in `folder`. */
  readonly command: (folder: string) => readonly [string, ...string[]];
}

/** Builds and runs it, and writes its CSV. Throws where a step fails; says so where the sources are not there. */
export function measureNative({ program, command }: NativeBench, csvPath: string): void {
  if (!existsSync(join(projectRoot, 'native', 'bench', `${program}.cc`))) {
    console.log('skipped, needs the sources of the native programs, which a bundle lacks');
    return;
  }
  const build = join(projectRoot, 'build'); // the addon's own, whose objects the program shares
  mustRun('cmake', ['--build', build, '--target', program, '-j', '2']);
  const [executable, ...args] = command(join(build, 'Release'));
  const csv = mustRun(executable, args);
  console.log(csv);
  writeFileSync(csvPath, csv);
}

function mustRun(command: string, args: readonly string[]): string {
  const ended = spawnSync(command, args, { encoding: 'utf8' });
  if (ended.status === 0) return ended.stdout;
  throw new Error(`${command} ${args.join(' ')} ended with ${ended.status}: ${ended.stderr}`);
}
