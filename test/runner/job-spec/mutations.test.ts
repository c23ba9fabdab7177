/**
 * Specs, traces, routing files and model configurations, mutated by a seeded generator: whatever comes, `validate` ends with
 * 0 or 2, in words. RAILRUNNER_TEST_MUTATIONS=10000 runs the full count; CI runs a part of it.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { JOB_KINDS } from '../../../jobs/index.js';
import { validateSpecs } from '../../../runner/cli/validate-specs.js';
import { projectRoot } from '../../../runner/project.js';
import { railrunner, run } from '../../helpers/run-cli.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';
import { readJson } from '../../helpers/json.js';

t.setTimeout(1_800_000);

const COUNT = Number(process.env['RAILRUNNER_TEST_MUTATIONS'] ?? 1200);
const SEED = 20_261_128;
/** As processes, which is what a user starts: some only, each takes a third of a second. */
const PROCESSES = 12;
const STACK = /\bat .*\.[jt]s:\d+|node:internal/;
/** mulberry32: 32 bits of state, the same numbers on every machine. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What people and broken tools leave in such files. */
const SPLINTERS = [
  '',
  'null',
  '-1',
  '0',
  '1e309',
  '1e9',
  '9007199254740993',
  '18446744073709551616',
  '0.5',
  'NaN',
  'Infinity',
  '"\\ud800"',
  '[]',
  '{}',
  '[[[[]]]]',
  '"__proto__"',
  '\u0000',
  '\ufeff',
  '\r\n',
  '\n\n',
  '"../../../etc/hostname"',
  'true',
  ',',
  '"x"',
];

function mutate(text: string, random: () => number): string {
  const at = (length: number): number => Math.floor(random() * length);
  let mutated = text;
  for (let left = 1 + at(3); left > 0; left -= 1) {
    const from = at(mutated.length + 1);
    const splinter = SPLINTERS[at(SPLINTERS.length)] ?? '';
    const token = /"[^"]*"|-?\d[\d.]*|true|false|null|[[\]{}:,]/g;
    token.lastIndex = from;
    const found = token.exec(mutated);
    const kind = at(5);
    if (kind === 0) mutated = mutated.slice(0, from) + splinter + mutated.slice(from);
    else if (kind === 1) mutated = mutated.slice(0, from) + mutated.slice(from + 1 + at(8));
    else if (kind === 2) mutated = mutated.slice(0, from);
    else if (found) {
      const end = found.index + found[0].length;
      const repeated = kind === 3 ? splinter : `${found[0]}${found[0]}`;
      mutated = mutated.slice(0, found.index) + repeated + mutated.slice(end);
    }
  }
  return mutated;
}

const ROUTING = Array.from({ length: 8 }, (_, token) => JSON.stringify([token % 4, (token + 1) % 4])).join(
  '\n',
);

/** The files of one spec in `folder`: name -> text. Any of them may be the one that is mutated. */
function sources(): Record<string, string> {
  const configs = join(projectRoot, 'configs');
  const trace = readFileSync(join(configs, 'traces', 'conversation-small.jsonl'), 'utf8');
  const moe = {
    id: 'routed',
    kind: 'dispatchCombine',
    hidden: 256,
    numTopk: 2,
    numExperts: 4,
    numTokens: 2,
    maxDispatchTokensPerRank: 8,
    routing: { kind: 'file', path: 'routing.jsonl' },
  };
  const spec = readJson<{ jobs: unknown[] }>(join(configs, 'quickstart.json'));
  return {
    'spec.json': JSON.stringify({ ...spec, jobs: [...spec.jobs, moe] }, null, 1),
    'traces/conversation-small.jsonl': trace.split('\n').slice(0, 120).join('\n'),
    'models/qwen3-8b.config.json': readFileSync(join(configs, 'models', 'qwen3-8b.config.json'), 'utf8'),
    'routing.jsonl': ROUTING,
  };
}

t.test(`${COUNT} mutations end in words`, async (t) => {
  await withTempDir(async (folder) => {
    const random = generator(SEED);
    const originals = sources();
    for (const part of ['traces', 'models']) mkdirSync(join(folder, part));
    for (const [name, text] of Object.entries(originals)) writeFileSync(join(folder, name), text);
    const spec = join(folder, 'spec.json');
    t.equal(validateSpecs([spec], { kinds: JOB_KINDS }).exitStatus, 0, 'the originals are good');
    const ends = new Map<number, number>();
    let longest = { ms: 0, what: '' };
    const processes: { text: string; name: string }[] = [];
    for (let count = 0; count < COUNT; count += 1) {
      const [name, text] = Object.entries(originals)[count % 4] as [string, string];
      const mutated = mutate(text, random);
      if (count % Math.ceil(COUNT / PROCESSES) === 0) processes.push({ name, text: mutated });
      writeFileSync(join(folder, name), mutated);
      const began = performance.now();
      try {
        const { exitStatus, stderr } = validateSpecs([spec], { kinds: JOB_KINDS });
        ends.set(exitStatus, (ends.get(exitStatus) ?? 0) + 1);
        if ((exitStatus !== 0 && exitStatus !== 2) || STACK.test(stderr)) {
          copyFileSync(join(folder, name), join(folder, 'bad'));
          t.fail(`mutation ${count} of ${name}: ${exitStatus} ${stderr.slice(0, 500)}`, { mutated });
        }
      } catch (error) {
        t.fail(`mutation ${count} of ${name}: ${String(error)}`, { mutated: mutated.slice(0, 2000) });
      }
      const ms = performance.now() - began;
      if (ms > longest.ms) longest = { ms, what: `mutation ${count} of ${name}` };
      writeFileSync(join(folder, name), text);
    }
    t.ok((ends.get(2) ?? 0) > COUNT / 3, 'most mutations are refused');
    t.comment(`ends ${JSON.stringify([...ends])}, longest ${longest.ms.toFixed(0)} ms: ${longest.what}`);
    for (const { name, text } of processes) {
      writeFileSync(join(folder, name), text);
      const ended = await run(process.execPath, [railrunner, 'validate', spec]);
      t.ok(
        ended.status === 0 || ended.status === 2,
        `${name}: ${ended.status} ${ended.stderr.slice(0, 300)}`,
      );
      t.notMatch(ended.stderr, STACK);
      writeFileSync(join(folder, name), originals[name] ?? '');
    }
  });
});
