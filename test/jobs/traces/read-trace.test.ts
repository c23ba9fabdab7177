/** Request traces as people have them: every format, compressed or not, and what is wrong with them by line. */
import t from 'tap';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { openTrace, type TraceReading } from '../../../jobs/traces/read-trace.js';
import type { TraceRequest } from '../../../jobs/traces/request.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

async function readAll(name: string, content: string | Uint8Array, options: TraceReading = {}) {
  return await withTempDir(async (folder) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    const trace = await openTrace(path, options);
    const requests: TraceRequest[] = [];
    for await (const batch of trace.requests) requests.push(...batch);
    return { format: trace.format.name, blockTokens: trace.blockTokens, badLines: trace.badLines, requests };
  });
}

const mooncake = (timestamp: unknown, input: unknown, ids: string, more = ''): string =>
  `{"timestamp": ${timestamp}, "input_length": ${input}, "output_length": 5, "hash_ids": [${ids}]${more}}`;

t.test('each format is told from its content', async (t) => {
  const bailian =
    '{"chat_id": 1, "parent_chat_id": -1, "timestamp": 1.5, "input_length": 40, "output_length": 3, "type": "text", "turn": 1, "hash_ids": [7, 8]}\n';
  const hashes =
    '{"timestamp": 3, "prompt_tokens": 20, "completion_tokens": 1, "prefix_block_hashes": ["00ff00ff00ff00ff", "a"]}\n';
  const azure =
    'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n';
  const burst =
    'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,230,1317,API log\n';
  const of = async (text: string) => await readAll('trace', text);

  t.match(await of(`${mooncake(0, 600, '1, 2')}\n`), { format: 'mooncake', blockTokens: 512 });
  // The last, short block has no id here.
  const found = await of(bailian);
  t.match(found, { format: 'bailian', blockTokens: 16 });
  t.equal(found.requests[0]?.timestampMs, 0, 'times count from the first request');
  t.match(await of(hashes), {
    format: 'prefixHashes',
    requests: [{ inputTokens: 20, hashIds: ['00ff00ff00ff00ff', 'a'] }],
  });
  t.match(await of(azure), {
    format: 'azure',
    blockTokens: null,
    requests: [{ inputTokens: 4808 }, { outputTokens: 8 }],
  });
  t.equal(Math.round((await of(azure)).requests[1]?.timestampMs ?? 0), 52);
  t.match(await of(burst), {
    format: 'burstgpt',
    requests: [{}, { timestampMs: 40_000, inputTokens: 1087 }],
  });
});

t.test('what has no known format is refused with what was seen', async (t) => {
  const cases: [string, RegExp][] = [
    ['', /expected Mooncake.*received no line/],
    ['time,tokens\n1,2\n', /line 1: neither JSON nor a known header: "time,tokens"; expected Mooncake/],
    ['{"prompt": "hello"}\n', /an object without hash_ids or prefix_block_hashes: keys prompt/],
    ['{"hash_ids": [1], "prefix_block_hashes": ["a"]}\n', /both hash_ids and prefix_block_hashes/],
    ['[1, 2]\n', /not an object/],
  ];
  for (const [text, message] of cases) {
    await t.rejects(readAll('trace', text), { code: 'E_TRACE', message }, text.slice(0, 30));
  }
});

t.test('sessions and delays of the dialects', async (t) => {
  const text = [
    '{"created_time": 0.5, "input_tokens": 600, "output_tokens": 5, "hash_ids": [1, 2], "session_id": "a"}',
    '{"session_id": "a", "delay": 250.5, "input_length": 1000, "output_length": 9, "hash_ids": [1, 3]}',
  ].join('\n');
  const { requests } = await readAll('t.jsonl', text, { speedup: 2 });
  t.match(requests, [
    { session: 'a', timestampMs: 0 },
    { session: 'a', delayMs: 125.25 },
  ]);
});

t.test('CRLF, blank lines at the end, a byte order mark and no last line end are no faults', async (t) => {
  const text = `\ufeff${mooncake(0, 600, '1, 2')}\r\n${mooncake(1, 20, '1')}\r\n\r\n  \n${mooncake(2, 20, '9')}`;
  t.equal((await readAll('t.jsonl', text)).requests.length, 3);
});

t.test('wrong lines are refused by number, or counted', async (t) => {
  const good = mooncake(5, 600, '1, 2');
  const cases: [string, RegExp][] = [
    [mooncake(4, 600, '1, 2'), /line 2: timestamp 4, expected a number >= 5 \(never back in time\)/],
    [mooncake(5, 600, '1'), /line 2: 1 hash_ids, expected 2: one per 512 tokens of input_length 600/],
    [mooncake(5, 600, ''), /line 2: hash_ids \[\], expected a list of at least one id/],
    [mooncake(5, 600, '1, 2.5'), /line 2: 2.5 in hash_ids/],
    [mooncake(5, 600, '1, -2'), /line 2: -2 in hash_ids/],
    [mooncake(5, 600, '1, 18446744073709551616'), /line 2: 18446744073709551616 in hash_ids/],
    [mooncake('"5"', 600, '1, 2'), /line 2: timestamp "5", expected a number/],
    [mooncake(5, 0, '1'), /line 2: input_length 0, expected a whole number from 1/],
    [mooncake(5, 6e15, '1'), /line 2: 1 hash_ids, expected 11718750000000/],
    [mooncake(5, 1e300, '1'), /line 2: input_length 1e\+300/],
    [mooncake(5, 600.5, '1, 2'), /line 2: input_length 600.5/],
    [mooncake(5, 600, '1, 2', ', "input_tokens": 601'), /line 2: input_length 600 and input_tokens 601/],
    ['{"timestamp": 5,', /line 2: not JSON: expected/],
    ['null', /line 2: not an object: null/],
  ];
  for (const [line, message] of cases) {
    const text = `${good}\n${line}\n${good}\n`;
    await t.rejects(readAll('t.jsonl', text), { code: 'E_TRACE', message }, line);
    const counted = await readAll('t.jsonl', text, { onBadLine: 'count' });
    t.equal(counted.requests.length, 2, `${line}: the good lines stay`);
    t.equal(counted.badLines.count, 1);
    t.match(counted.badLines.told[0], message);
  }
});

t.test('ids of 64 bits stay apart, and other tokens per id are told from the lengths', async (t) => {
  const text = `${mooncake(0, 32, '18446744073709551615, 9007199254740993')}\n${mooncake(0, 64, '1, 2, 3, 4')}\n`;
  const { requests, blockTokens } = await readAll('t.jsonl', text);
  t.equal(blockTokens, 16);
  t.strictSame(requests[0]?.hashIds, [18446744073709551615n, 9007199254740993n]);
  await t.rejects(readAll('t.jsonl', mooncake(0, 800, '1, 2, 3')), {
    message: /every line fits with 267 to 399 tokens per hash id: set it/,
  });
  t.equal((await readAll('t.jsonl', mooncake(0, 800, '1, 2, 3'), { blockTokens: 300 })).requests.length, 1);
});

t.test('skip and limit take requests, and time begins with the first taken', async (t) => {
  const text = Array.from({ length: 10 }, (_, index) => mooncake(10 * index, 20, `${index}`)).join('\n');
  const { requests } = await readAll('t.jsonl', text, { skip: 3, limit: 4, speedup: 10 });
  t.strictSame(
    requests.map(({ timestampMs, hashIds }) => [timestampMs, hashIds[0]]),
    [
      [0, 3],
      [1, 4],
      [2, 5],
      [3, 6],
    ],
  );
});

t.test('compressed files are told by their bytes; wrong and damaged ones are refused', async (t) => {
  const lines = Array.from({ length: 3000 }, (_, index) => mooncake(index, 20, `${index}`)).join('\n');
  const zipped = gzipSync(lines);
  for (const name of ['t.jsonl.gz', 'trace']) t.equal((await readAll(name, zipped)).requests.length, 3000);
  await t.rejects(readAll('t.gz', zipped.subarray(0, 3000)), { code: 'E_TRACE', message: /damaged as gzip/ });
  await t.rejects(readAll('t.gz', lines), {
    message: /expected gzip by its name, received bytes that are not/,
  });
  await t.rejects(readAll('t.zst', zipped), { message: /expected zstd by its name, received gzip/ });
  await t.rejects(readAll('t.jsonl', Buffer.from([0xff, 0xfe, 0x41])), { message: /not UTF-8/ });
});

const hasZstd = (() => {
  try {
    return execFileSync('zstd', ['--version']).length > 0;
  } catch {
    return false;
  }
})();

t.test('zstd, also of several frames', { skip: hasZstd ? false : 'needs the zstd program' }, async (t) => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `${mooncake(index, 20, `${index}`)}\n`).join('');
  const compress = (text: string): Buffer => execFileSync('zstd', ['-q', '-c'], { input: text });
  const whole = compress(lines);
  t.equal((await readAll('t.jsonl.zst', whole)).requests.length, 20_000);
  await t.rejects(readAll('t.zst', whole.subarray(0, whole.length / 2)), {
    code: 'E_TRACE',
    message: /damaged as zstd/,
  });
});

t.test('a file that is not there, a folder and a FIFO are refused', async (t) => {
  await withTempDir(async (folder) => {
    await t.rejects(openTrace(join(folder, 'none')), { code: 'E_TRACE', message: /there is no such file/ });
    mkdirSync(join(folder, 'dir'));
    await t.rejects(openTrace(join(folder, 'dir')), { message: /received a directory/ });
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    await t.rejects(openTrace(join(folder, 'fifo')), { message: /not a regular file/ });
  });
});

/** Descriptors of this process that are open on a file. */
function opened(path: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  }).length;
}

t.test('a file that is refused, or of which nobody reads on, is not kept open', async (t) => {
  await withTempDir(async (folder) => {
    const path = join(folder, 'trace.jsonl');
    // Longer than what is read at once.
    const many = `${mooncake(0, 600, '1, 2')}\n`.repeat(60_000);
    for (const content of [`no trace\n${many}`, `{"a": 1}\n${many}`, `${mooncake(5, 600, '1')}\n${many}`]) {
      writeFileSync(path, content);
      await t.rejects(openTrace(path), { code: 'E_TRACE' });
      t.equal(opened(path), 0);
    }
    writeFileSync(path, many);
    const trace = await openTrace(path);
    t.equal(opened(path), 1);
    await trace.close();
    t.equal(opened(path), 0, 'nothing was asked for');
    const begun = await openTrace(path, { limit: 5 });
    await begun.requests.next();
    await begun.close();
    t.equal(opened(path), 0);
    const whole = await openTrace(path, { limit: 5 });
    for await (const batch of whole.requests) t.equal(batch.length, 5);
    t.equal(opened(path), 0);
  });
});
