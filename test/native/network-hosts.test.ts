/** The network between two hosts of the test bed: its counters against the cable's, and a cable that is pulled. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeProgram } from '../helpers/native-program.js';
import { needsNamespaces } from '../helpers/require.js';
import { start } from '../helpers/run-cli.js';
import { withHosts, type Hosts } from '../testbed/hosts.js';

const env = { UCX_MEM_EVENTS: 'no', UCX_HANDLE_ERRORS: 'none', UCX_ERROR_SIGNALS: '' };
const skip = needsNamespaces();

async function startRanks(bed: Hosts, ...mode: string[]) {
  const program = await nativeProgram('network_hosts_test');
  const hosts = ['h0', 'h1'].map((host) => String(bed.cell(host).pid));
  return start(program, [...hosts, ...mode], { env, timeoutMs: 200_000 });
}

t.test('counted bytes agree with the cable within 10 %', { skip }, async (t) => {
  await withHosts(2, 1, async (bed) => {
    const before = bed.bytes()['h0']?.sent ?? 0;
    const { status, stdout, stderr } = await (await startRanks(bed, 'traffic')).finished;
    t.equal(status, 0, stderr);
    const [, transport, payload, wire] = /transport (\S+) payload (\d+) wire (\d+)/.exec(stdout) ?? [];
    t.equal(transport, 'tcp/eth0');
    t.equal(Number(payload), 2000 * 14336 + 8);
    const sent = (bed.bytes()['h0']?.sent ?? 0) - before;
    const ratio = sent / Number(wire);
    t.ok(ratio > 0.9 && ratio < 1.1, `the cable carried ${sent} bytes, counted were ${wire}`);
    t.ok(sent > Number(payload) && sent < Number(payload) * 1.1, `payload ${payload}, cable ${sent}`);
  });
});

t.test('a pulled cable ends both sides within their deadline, naming the peer', { skip }, async (t) => {
  await withHosts(2, 1, async (bed) => {
    const isCut = join(bed.folder, 'is-cut');
    const ranks = await startRanks(bed, 'cut', isCut);
    await ranks.waitFor(/cut now/);
    bed.link('h1', 'down');
    writeFileSync(isCut, ''); // only now do the ranks send
    const { status, stdout, stderr } = await ranks.finished;
    t.equal(status, 0, stderr);
    t.match(stdout, /rank 0: E_(NETWORK|TIMEOUT)/);
    t.match(stdout, /rank 1: E_(NETWORK|TIMEOUT)/);
    t.comment(stdout);
  });
});
