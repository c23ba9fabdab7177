/** Golden sizes: those of the native module (native/test/moe/moe_layout_test.cc), and MSCCL++'s own formula. */
import t from 'tap';
import {
  privateBytes,
  mscclppHintBytes,
  symmetricBytes,
} from '../../../jobs/dispatch-combine/bytes/memory.js';
import { messageBytes } from '../../../jobs/dispatch-combine/bytes/traffic.js';
import { moeSpec } from './moe-points.js';

const job = (
  numExperts: number,
  numTopk: number,
  hidden: number,
  dispatchDtype: string,
  dedup: string,
): ReturnType<typeof moeSpec> =>
  moeSpec({ numExperts, numTopk, hidden, dispatchDtype, dedup, numTokens: 1, maxDispatchTokensPerRank: 128 });

t.test('messages and the symmetric buffer', async (t) => {
  const table: readonly [number, ReturnType<typeof moeSpec>, number, number][] = [
    [8, job(256, 8, 7168, 'bf16', 'off'), 14_352, 944_250_880],
    [8, job(256, 8, 7168, 'fp8_e4m3', 'off'), 7_408, 941_424_640],
    [4, job(256, 8, 7168, 'bf16', 'on'), 14_416, 18_456_576],
    [4, job(256, 8, 7168, 'bf16', 'node'), 14_416, 18_456_576],
    [4, job(256, 8, 7168, 'fp8_e4m3', 'on'), 7_472, 16_596_992],
    [4, job(128, 4, 2880, 'bf16', 'on'), 5_936, 7_600_128],
  ];
  for (const [worldSize, spec, stride, total] of table) {
    t.equal(messageBytes(spec), stride);
    t.equal(symmetricBytes(spec, worldSize), total);
  }
});

t.test('what grows with the world: counted by hand for 8 to 512 ranks', async (t) => {
  // 128 tokens of 7168 columns, 8 choices: messages of 14,416 bytes, one for each token and source, twice; signals
  // of 8 bytes for each expert. 128 messages are 1,845,248 bytes, a multiple of 128.
  const table: readonly [number, number, number][] = [
    [8, 256, 2 * (2048 + 1_845_248 + 14_761_984)],
    [16, 256, 2 * (2048 + 1_845_248 + 29_523_968)],
    [64, 256, 2 * (2048 + 1_845_248 + 118_095_872)],
    [512, 512, 2 * (4096 + 1_845_248 + 944_766_976)],
  ];
  for (const [worldSize, numExperts, total] of table) {
    const spec = job(numExperts, 8, 7168, 'bf16', 'on');
    t.equal(symmetricBytes(spec, worldSize), total, `${worldSize} ranks`);
    // Results have a row for each expert and token of the world: numExperts x 128, however many ranks share them out.
    const rows = numExperts * 128;
    const messages = worldSize * 128 * (4 + 8 * 8);
    const held = rows * (14_336 + 4) + rows * 14_336 + messages + 2 * 128 * 14_336;
    t.equal(privateBytes(spec, worldSize, 'host'), held, `${worldSize} ranks`);
  }
});

t.test("MSCCL++'s size hint", async (t) => {
  const table: readonly [number, number, number, number][] = [
    [128, 7168, 256, 1_880_100_992],
    [128, 7168, 288, 2_115_113_600],
    [128, 7168, 64, 470_025_344],
    [64, 7168, 32, 117_506_688],
    [128, 4096, 128, 537_397_376],
  ];
  for (const [maxDispatchTokensPerRank, hidden, numExperts, hint] of table) {
    const spec = moeSpec({ hidden, numExperts, numTokens: 1, maxDispatchTokensPerRank });
    t.equal(mscclppHintBytes(spec), hint);
  }
});

t.test('memory in addition to the symmetric buffer', async (t) => {
  const spec = moeSpec({
    hidden: 256,
    numExperts: 4,
    numTopk: 2,
    dedup: 'off',
    numTokens: 8,
    maxDispatchTokensPerRank: 8,
  });
  // Two ranks: 2 experts of 16 rows of 512, twice, 4 for each row's token; 8 tokens of 512, and combined.
  const host = 32 * (512 + 4) + 32 * 512 + 2 * 8 * 512;
  t.equal(privateBytes(spec, 2, 'host'), host);
  t.equal(
    privateBytes(spec, 2, 'cuda'),
    host + 16 * (4 + 16) + 256 * 2 ** 20,
    'messages, and what flushes L2',
  );
});
