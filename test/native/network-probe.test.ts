/** What UCX could use, as `doctor` and the choice of a protocol are told: real devices, none, and no UCX. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { needsNamespaces } from '../helpers/require.js';
import { railrunner, run, runCli, type Finished } from '../helpers/run-cli.js';

interface Finding {
  readonly check: string;
  readonly kind: string;
  readonly what: string;
}

function networkFindings({ stdout, stderr }: Finished): Finding[] {
  const { findings } = JSON.parse(stdout || `"${stderr}"`) as { findings: Finding[] };
  return findings.filter(({ check }) => check === 'network');
}

t.test('the devices that UCX may use, by name', async (t) => {
  const found = networkFindings(await runCli(['doctor', '--json'], { env: { UCX_NET_DEVICES: 'lo' } }));
  t.match(found, [{ kind: 'tcp-alone', what: /^UCX \d+\.\d+\.\d+: tcp\/lo$/ }]);
});

t.test('a machine without a network device', { skip: needsNamespaces() }, async (t) => {
  const script = 'mount -t sysfs sysfs /sys && exec "$@"';
  const command = ['--mount', '--net', 'sh', '-c', script, 'sh', process.execPath, railrunner];
  const found = networkFindings(await run('unshare', [...command, 'doctor', '--json']));
  t.match(found, [{ kind: 'no-network', what: 'UCX finds no network device: only shared memory' }]);
});

// UCX 1.13.1: ucp_init fails for a transport that it does not know or has no device for, succeeds for a device that is
// not here, and tells of both, and of variables that nobody reads, on standard output unless it is given a file.
t.test('what the user asked UCX for is honoured and named, and never said on stdout', async (t) => {
  const asked = [
    { UCX_TLS: 'rc' },
    { UCX_TLS: 'nonsense' },
    { UCX_TLS: 'self,sm' },
    { UCX_NET_DEVICES: 'mlx5_0:1' },
    { UCX_NET_DEVICES: 'mlx5_0:1', UCX_NOBODY_READS_THIS: '1' },
  ];
  for (const env of asked) {
    const [[name, value] = []] = Object.entries(env);
    const found = networkFindings(await runCli(['doctor', '--json'], { env }));
    t.match(found, [{ kind: 'no-network', what: `${name}=${value}` }], JSON.stringify(env));
  }
  const found = networkFindings(await runCli(['doctor', '--json'], { env: { UCX_TLS: 'tcp,sm,self' } }));
  t.match(found, [{ kind: 'tcp-alone' }]);
});

t.test('a library that is none', async (t) => {
  const folder = t.testdir();
  writeFileSync(join(folder, 'libucp.so.0'), '');
  const path = [folder, process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':');
  const found = networkFindings(await runCli(['doctor', '--json'], { env: { LD_LIBRARY_PATH: path } }));
  t.match(found, [{ kind: 'no-ucx', what: /libucp\.so\.0/ }]);
});
