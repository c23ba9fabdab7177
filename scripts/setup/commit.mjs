/** Notes the commit of the build: it distinguishes two builds of one version number in every manifest. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a build is made of; a changed document makes no other build. */
const SOURCES = ['bin', 'jobs', 'native', 'runner', 'package-lock.json', 'tsconfig.json'];

/** @returns {string | undefined} what Git prints; undefined where it cannot say */
function git(/** @type {string} */ root, /** @type {string[]} */ args) {
  // A folder that its owner did not make is refused by Git, and a build does not need the answer.
  const result = spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

/** Writes dist/commit.json, or removes it where `root` is no clone: an archive may lie inside of a foreign one. */
export function recordCommit(/** @type {string} */ root) {
  const file = join(root, 'dist', 'commit.json');
  const head = existsSync(join(root, '.git')) ? git(root, ['rev-parse', 'HEAD']) : undefined;
  const changes = head && git(root, ['status', '--porcelain', '--', ...SOURCES]);
  if (changes === undefined) {
    rmSync(file, { force: true });
    return;
  }
  writeFileSync(file, `${JSON.stringify({ commit: changes === '' ? head : `${head}+changes` })}\n`);
}
