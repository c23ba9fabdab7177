/** Native test programs (native/test/MODULE/NAME_test.cc), built on first use. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../runner/project.js';
import { carriedPrograms } from '../../scripts/bundle/test-parts.js';
import { run } from './run-cli.js';

export type Sanitizer = 'none' | 'thread' | 'address,undefined';

async function mustRun(command: string, args: readonly string[]): Promise<void> {
  const ended = await run(command, args, { timeoutMs: 1_100_000 }); // it may wait for another build's lock first
  if (ended.status === 0) return;
  throw new Error(
    `${command} ${args.join(' ')}: status ${ended.status}\n${ended.stdout.slice(-3000)}${ended.stderr}`,
  );
}

/**
 * Builds NAME.cc of native/test/MODULE or native/bench and returns the program's path. A second call is a matter of milliseconds. Without a
 * sanitizer it is a target of the addon's own build, whose objects it shares; with one it has a folder of its own, and
 * should list its sources (native/CMakeLists.txt), so that not every module is compiled again. A bundle with tests holds
 * the programs already.
 */
export async function nativeProgram(name: string, sanitizer: Sanitizer = 'none'): Promise<string> {
  const carried = join(projectRoot, carriedPrograms, name);
  if (existsSync(carried)) return carried;
  const sanitized = sanitizer !== 'none';
  const folder = join(projectRoot, sanitized ? `build-sanitized-${sanitizer.replace(',', '-')}` : 'build');
  mkdirSync(folder, { recursive: true });
  const locked = ['-o', join(folder, '.lock'), 'cmake']; // test files that run side by side share the folder
  if (sanitized && !existsSync(join(folder, 'build.ninja'))) {
    const options = [
      '-G',
      'Ninja',
      '-DCMAKE_BUILD_TYPE=Release',
      '-DWITH_CUDA=OFF',
      `-DSANITIZE=${sanitizer}`,
    ];
    await mustRun('flock', [...locked, '-S', join(projectRoot, 'native'), '-B', folder, ...options]);
  }
  await mustRun('flock', [...locked, '--build', folder, '--target', name, '-j', '2']);
  return join(folder, 'Release', name);
}

/**
 * Runs a program that was built with a sanitizer. LeakSanitizer's own tracer falls over now and then (signal 11 while it
 * walks the threads of a program that has ended well); that is not a finding, and the program runs again. A leak is one.
 */
export async function runSanitized(
  ...[program, args, options]: Parameters<typeof run>
): ReturnType<typeof run> {
  const ended = await run(program, args, options);
  if (!/Tracer caught signal[^]*LeakSanitizer has encountered a fatal error/.test(ended.stderr)) return ended;
  return await run(program, args, options);
}
