/** Request traces as people have them: every format, and what is wrong with them by line. */
import t from 'tap';
import { mooncakeLine, readWholeTrace } from '../../helpers/traces.js';

t.test('each format is told from its content', async (t) => {
  const bailian =
    '{"chat_id": 1, "parent_chat_id": -1, "timestamp": 1.5, "input_length": 40, "output_length": 3, "type": "text", "turn": 1, "hash_ids": [7, 8]}\n';
  const hashes =
    '{"timestamp": 3, "prompt_tokens": 20, "completion_tokens": 1, "prefix_block_hashes": ["00ff00ff00ff00ff", "a"]}\n';
  const azure =
    'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n';
  const burst =
    'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,230,1317,API log\n';
  const of = async (text: string) => await readWholeTrace('trace', text);

  t.match(await of(`${mooncakeLine(0, 600, '1, 2')}\n`), { format: 'mooncake', blockTokens: 512 });
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
  const [header, first, second] = burst.split('\n');
  const named = [`${header},Session ID`, `${first},s-1`, `${second},`].join('\n');
  const { requests } = await of(named);
  t.strictSame(
    requests.map(({ session }) => session),
    ['s-1', undefined],
    'a session where the line names one',
  );
});

t.test('what has no known format is refused with what was seen', async (t) => {
  const cases: [string, RegExp][] = [
    ['', /expected Mooncake.*received no line/],
    ['time,tokens\n1,2\n', /line 1: neither JSON nor a known header: "time,tokens"; expected Mooncake/],
    ['{"prompt": "hello"}\n', /an object without hash_ids or prefix_block_hashes: keys prompt/],
    ['{"hash_ids": [1], "prefix_block_hashes": ["a"]}\n', /both hash_ids and prefix_block_hashes/],
    ['[1, 2]\n', /not an object/],
    ['{"timestamp": 5,\n', /\(mooncake\): line 1: not JSON: expected/],
  ];
  for (const [text, message] of cases) {
    await t.rejects(readWholeTrace('trace', text), { code: 'E_TRACE', message }, text.slice(0, 30));
  }
});

t.test('sessions and delays of the dialects', async (t) => {
  const text = [
    '{"created_time": 0.5, "input_tokens": 600, "output_tokens": 5, "hash_ids": [1, 2], "session_id": "a"}',
    '{"session_id": "a", "delay": 250.5, "input_length": 1000, "output_length": 9, "hash_ids": [1, 3]}',
  ].join('\n');
  const { requests } = await readWholeTrace('t.jsonl', text, { speedup: 2 });
  t.match(requests, [
    { session: 'a', timestampMs: 0 },
    { session: 'a', delayMs: 125.25 },
  ]);
});

t.test('CRLF, blank lines at the end, a byte order mark and no last line end are no faults', async (t) => {
  const text = `\ufeff${mooncakeLine(0, 600, '1, 2')}\r\n${mooncakeLine(1, 20, '1')}\r\n\r\n  \n${mooncakeLine(2, 20, '9')}`;
  t.equal((await readWholeTrace('t.jsonl', text)).requests.length, 3);
});

t.test('wrong lines are refused by number, or counted', async (t) => {
  const good = mooncakeLine(5, 600, '1, 2');
  const cases: [string, RegExp][] = [
    [mooncakeLine(4, 600, '1, 2'), /line 2: timestamp 4, expected a number >= 5 \(never back in time\)/],
    [mooncakeLine(5, 600, '1'), /line 2: 1 hash_ids, expected 2: one per 512 tokens of input_length 600/],
    [mooncakeLine(5, 600, ''), /line 2: hash_ids \[\], expected a list of at least one id/],
    [mooncakeLine(5, 600, '1, 2.5'), /line 2: 2.5 in hash_ids/],
    [mooncakeLine(5, 600, '1, -2'), /line 2: -2 in hash_ids/],
    [mooncakeLine(5, 600, '1, 18446744073709551616'), /line 2: 18446744073709551616 in hash_ids/],
    [mooncakeLine('"5"', 600, '1, 2'), /line 2: timestamp "5", expected a number/],
    [mooncakeLine(5, 0, '1'), /line 2: input_length 0, expected a whole number from 1/],
    [mooncakeLine(5, 6e15, '1'), /line 2: 1 hash_ids, expected 11718750000000/],
    [mooncakeLine(5, 1e300, '1'), /line 2: input_length 1e\+300/],
    [mooncakeLine(5, 600, '1, 2').replace('5', '1e400'), /line 2: timestamp/],
    [mooncakeLine(5, 600.5, '1, 2'), /line 2: input_length 600.5/],
    [mooncakeLine(5, 600, '1, 2', ', "input_tokens": 601'), /line 2: input_length 600 and input_tokens 601/],
    ['{"timestamp": 5,', /line 2: not JSON: expected/],
    ['null', /line 2: not an object: null/],
  ];
  for (const [line, message] of cases) {
    const text = `${good}\n${line}\n${good}\n`;
    await t.rejects(readWholeTrace('t.jsonl', text), { code: 'E_TRACE', message }, line);
    const counted = await readWholeTrace('t.jsonl', text, { onBadLine: 'count' });
    t.equal(counted.requests.length, 2, `${line}: the good lines stay`);
    t.equal(counted.badLines.count, 1);
    t.match(counted.badLines.told[0], message);
  }
});

t.test('wrong lines of the formats whose last block may have no id, or whose ids are hashes', async (t) => {
  const bailian = (input: number, ids: string): string =>
    mooncakeLine(1, input, ids, ', "chat_id": 1, "parent_chat_id": -1');
  const good = `${bailian(96, '1, 2, 3, 4, 5, 6')}\n`.repeat(3);
  const hashes = (ids: string): string =>
    `{"timestamp": 3, "prompt_tokens": 20, "completion_tokens": 1, "prefix_block_hashes": [${ids}]}\n`;
  const cases: [string, RegExp][] = [
    [
      `${good}${bailian(40, '1')}`,
      /line 4: 1 hash_ids, expected 2 or 3: one per 16 tokens of input_length 40/,
    ],
    [`${good}${bailian(48, '1, 2')}`, /line 4: 2 hash_ids, expected 3: one per 16 tokens of input_length 48/],
    [
      `${hashes('"ab"')}${hashes('"xy"')}`,
      /line 2: "xy" in prefix_block_hashes, expected hexadecimal hashes or whole numbers from 0/,
    ],
  ];
  for (const [text, message] of cases)
    await t.rejects(readWholeTrace('t.jsonl', text), { code: 'E_TRACE', message }, text);
});

t.test('ids of 64 bits stay apart, and other tokens per id are told from the lengths', async (t) => {
  const text = `${mooncakeLine(0, 32, '18446744073709551615, 9007199254740993')}\n${mooncakeLine(0, 64, '1, 2, 3, 4')}\n`;
  const { requests, blockTokens } = await readWholeTrace('t.jsonl', text);
  t.equal(blockTokens, 16);
  t.strictSame(requests[0]?.hashIds, [18446744073709551615n, 9007199254740993n]);
  await t.rejects(readWholeTrace('t.jsonl', mooncakeLine(0, 800, '1, 2, 3')), {
    message: /every line fits with 267 to 399 tokens per hash id: set it/,
  });
  t.equal(
    (await readWholeTrace('t.jsonl', mooncakeLine(0, 800, '1, 2, 3'), { blockTokens: 300 })).requests.length,
    1,
  );
});

t.test('wrong lines of the formats without blocks', async (t) => {
  const azure = 'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.97,4808,10\n';
  const burst =
    'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,API log\n';
  const cases: [string, RegExp][] = [
    [
      `${azure}2023-11-16 18:17:02.97,1,1`,
      /line 3: TIMESTAMP "2023-11-16 18:17:02.97", expected a date and time \(UTC\), never back/,
    ],
    [`${azure}yesterday,1,1`, /line 3: TIMESTAMP "yesterday", expected a date and time/],
    [`${azure}2023-11-16 18:17:04,0,1`, /line 3: ContextTokens "0", expected a whole number from 1/],
    [`${azure}2023-11-16 18:17:04,1,-1`, /line 3: GeneratedTokens "-1", expected a whole number from 0/],
    [
      `${azure}2023-11-16 18:17:04,1`,
      /line 3: 2 fields, expected 3: TIMESTAMP, ContextTokens, GeneratedTokens/,
    ],
    [`${azure}"2023-11-16 18:17:04",1,1`, /line 3: 3 fields, expected 3/],
    [`${burst}x,ChatGPT,1,1,2,API log`, /line 3: Timestamp "x", expected seconds, never back in time/],
  ];
  for (const [text, message] of cases)
    await t.rejects(readWholeTrace('t.csv', text), { code: 'E_TRACE', message }, text);
  const zoned = await readWholeTrace('t.csv', `${azure}2023-11-16T18:17:04.97Z,1.0,0`);
  t.equal(Math.round(zoned.requests[1]?.timestampMs ?? 0), 1000);
});

t.test('sessions and delays that are none', async (t) => {
  const cases: [string, RegExp][] = [
    [
      mooncakeLine(5, 600, '1, 2', ', "session_id": [1]'),
      /line 1: session_id .*expected a text or a whole number/,
    ],
    [mooncakeLine(5, 600, '1, 2', ', "delay": -1'), /line 1: delay -1, expected a number >= 0/],
  ];
  for (const [text, message] of cases)
    await t.rejects(readWholeTrace('t', text), { code: 'E_TRACE', message });
});

t.test('skip and limit take requests, and time begins with the first taken', async (t) => {
  const text = Array.from({ length: 10 }, (_, index) => mooncakeLine(10 * index, 20, `${index}`)).join('\n');
  const { requests } = await readWholeTrace('t.jsonl', text, { skip: 3, limit: 4, speedup: 10 });
  t.strictSame(
    requests.map(({ timestampMs, hashIds }) => [timestampMs, hashIds[0]]),
    [
      [0, 3],
      [1, 4],
      [2, 5],
      [3, 6],
    ],
  );
  t.strictSame((await readWholeTrace('t.jsonl', text, { skip: 10 })).requests, [], 'all are skipped');
});
