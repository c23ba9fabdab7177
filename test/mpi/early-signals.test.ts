/** Signals in the first moments of a process: before its first line, and between the making of its folder and its first point. */
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { NODE_WORDS } from '../../runner/environment/early-signals.js';
import { projectRoot } from '../../runner/project.js';
import { needsMpi } from '../helpers/require.js';
import { readManifest, readRankRows } from '../helpers/results.js';
import { railrunner, run, start, type Running, runArgs } from '../helpers/run-cli.js';
import { writeSmallSpec } from '../helpers/small-spec.js';

t.setTimeout(600_000);

/** In /proc/net/tcp: 127.0.0.1:9229, listening, and the socket's inode. */
const DEBUGGER_PORT = /0100007F:240D \S+ 0A (?:\S+ +){5}(\d+)/;
const POINTS = 40;

/** As users start it: the file itself, which brings Node and its options. */
function startRun(folder: string): Running {
  const spec = writeSmallSpec(folder, { numPoints: POINTS, iterations: 100_000, timeoutSeconds: 600 });
  const out = join(folder, 'out');
  mkdirSync(out);
  return start(railrunner, runArgs(spec, out));
}

function programOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '';
  } catch {
    return '';
  }
}

/** Another program of this machine may be debugged meanwhile. */
function listensOnDebuggerPort(pid: number): boolean {
  const inode = DEBUGGER_PORT.exec(readFileSync('/proc/net/tcp', 'utf8'))?.[1];
  if (inode === undefined) return false;
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((name) => readlinkSync(join(folder, name)) === `socket:[${inode}]`);
  } catch {
    // It has ended, or has closed a descriptor, in between.
    return false;
  }
}

t.test('bin/railrunner starts Node with the words that launch uses', async (t) => {
  const [first, second] = readFileSync(join(projectRoot, 'bin', 'railrunner'), 'utf8').split('\n');
  t.equal(first, '#!/bin/sh');
  t.equal(second, `':' //; exec node ${NODE_WORDS.join(' ')} "$0" "$@"`);
});

t.test('a debugger that the user has asked for stays open', async (t) => {
  const opener = join(t.testdir(), 'opener.cjs');
  writeFileSync(
    opener,
    "const inspector = require('node:inspector'); inspector.open(0); process.on('exit', () => console.error('at the end:', inspector.url()));",
  );
  const { status, stderr } = await run(railrunner, ['schema'], {
    env: { NODE_OPTIONS: `--require=${opener}` },
  });
  t.equal(status, 0);
  t.match(stderr, /at the end: ws:\/\/[\d.]+:\d+\//);
});

t.test(
  'SIGUSR1 before the first line opens no debugger and ends the run',
  { skip: needsMpi('openmpi') },
  async (t) => {
    // From where Node has its own handler (a few milliseconds) to where this project has one.
    for (const afterMs of [10, 20, 40, 80]) {
      const running = startRun(t.testdir());
      const pid = running.child.pid ?? 0;
      while (!programOf(pid).endsWith('node')) await sleep(1);
      await sleep(afterMs);
      process.kill(pid, 'SIGUSR1');
      const over = { isSo: false };
      let wasOpen = false;
      void running.finished.then(() => (over.isSo = true));
      while (!over.isSo) {
        wasOpen ||= listensOnDebuggerPort(pid);
        await sleep(2);
      }
      const { status, signal, stdout, stderr } = await running.finished;
      t.notOk(wasOpen, `${afterMs} ms: nobody listens on 127.0.0.1:9229`);
      t.notMatch(`${stdout}${stderr}`, /Debugger|inspector/);
      // The kernel ends a process that has no handler yet.
      t.ok(
        status === 143 || signal === 'SIGUSR1',
        `${afterMs} ms: ended by it, not in spite of it: ${status} ${signal}`,
      );
    }
  },
);

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  t.test(`${signal} while the run's folder is filled`, { skip: needsMpi('openmpi') }, async (t) => {
    // On a busy machine the signal may come later, within a point: that ends the run as well, but is not what is meant here.
    let code: string | undefined;
    for (let tries = 0; tries < 5 && code === undefined; tries += 1) {
      const folder = t.testdir();
      const running = startRun(folder);
      const made = join(folder, 'out', 'x');
      while (!existsSync(made)) await sleep(1);
      process.kill(running.child.pid ?? 0, signal);
      const { status, stderr } = await running.finished;
      t.equal(status, signal === 'SIGINT' ? 130 : 143, stderr);
      const manifest = readManifest(made);
      t.match(manifest, { outcome: 'aborted', exitStatus: status });
      t.equal(readRankRows(made)[0]?.length, POINTS, 'a row for every point');
      code = manifest?.error?.code;
    }
    t.equal(code, 'E_INTERRUPTED');
  });
}
