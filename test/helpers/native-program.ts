/** The native test programs (native/test/*_test.cc), built when a test asks for one. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';
import { cleanEnvironment } from './run-cli.js';

export interface NativeBuild {
  /** A build of its own with a sanitizer for every line of native/. */
  readonly sanitize?: 'thread' | 'address,undefined';
}

function runTool(command: string, args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: 'utf8', env: cleanEnvironment(), maxBuffer: 2 ** 28 });
  if (result.error) throw result.error;
  if (result.status !== 0) {
    throw new Error(
      `${command} ${args.join(' ')}\n${result.stdout.slice(-4000)}${result.stderr.slice(-4000)}`,
    );
  }
}

/** Builds the program of that name and returns its path. Test files of one run may ask at the same time. */
export function nativeProgram(name: string, { sanitize }: NativeBuild = {}): string {
  const folder = join(projectRoot, sanitize ? `build-tests-${sanitize.replace(',', '-')}` : 'build-tests');
  mkdirSync(folder, { recursive: true });
  const locked = ['-o', join(folder, '.lock'), 'cmake'];
  const options = ['-DBUILD_NATIVE_TESTS=ON', '-DWITH_CUDA=OFF', `-DSANITIZE=${sanitize ?? ''}`];
  runTool('flock', [...locked, '-S', join(projectRoot, 'native'), '-B', folder, ...options]);
  const jobs = String(Math.min(availableParallelism(), 16));
  runTool('flock', [...locked, '--build', folder, '--target', name, '-j', jobs]);
  return join(folder, 'Release', name);
}

/** The cases that a test program lists. */
export function casesOf(program: string): string[] {
  const result = spawnSync(program, [], { encoding: 'utf8', env: cleanEnvironment() });
  return result.stdout.split('\n').filter((line) => line !== '');
}
