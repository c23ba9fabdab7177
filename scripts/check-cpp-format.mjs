/** Every C++ and CUDA file is as clang-format leaves it; with --write it is made so. */
import { spawnSync } from 'node:child_process';
import { filesBelow } from './setup/builds.mjs';
import { root } from './setup/setup.mjs';

const write = process.argv.includes('--write');
const files = filesBelow(root, 'native').filter((file) => /\.(cc|h|cu|cuh)$/.test(file));
const args = write ? ['-i', ...files] : ['--dry-run', '-Werror', ...files];
const result = spawnSync('clang-format', args, { cwd: root, encoding: 'utf8' });
process.stderr.write(result.error ? `clang-format: ${result.error.message}\n` : result.stderr);
if (result.status !== 0) process.stderr.write('To fix: npm run format\n');
process.exitCode = result.status === 0 ? 0 : 1;
