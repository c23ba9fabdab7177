import { existsSync } from 'node:fs';
import t from 'tap';
import { MPIS } from '../helpers/mpirun.js';
import { firstMissing, needsMpi, needsNamespaces } from '../helpers/require.js';
import { withHosts } from './hosts.js';

const skip = needsNamespaces();

t.test('hosts have names, addresses and processes of their own, and see each other', { skip }, async (t) => {
  await withHosts(2, 1, async (bed) => {
    t.match(await bed.run('h0', ['hostname']), { status: 0, stdout: 'h0\n' });
    t.match(await bed.run('h1', ['sh', '-c', 'echo $(ls -d /proc/[0-9]* | wc -l)']), { stdout: /^[1-9]\n$/ });
    t.match((await bed.run('h0', ['ls', '/sys/class/net'])).stdout, /^eth0\nlo\n$/);
    const listen = `require('net').createServer((s) => s.end('from h1')).listen(4000, () => console.log('up'))`;
    const server = bed.start('h1', [process.execPath, '-e', listen]);
    await server.waitFor(/up/);
    const ask = `require('net').connect(4000, 'h1').on('data', (d) => console.log(String(d)))`;
    t.equal((await bed.run('h0', [process.execPath, '-e', ask])).stdout, 'from h1\n');
    bed.signal(server, 'SIGTERM');
    t.match(await server.finished, { signal: 'SIGTERM' });
  });
});

t.test('the cable counts bytes, and can be pulled', { skip }, async (t) => {
  await withHosts(2, 1, async (bed) => {
    const size = 10_000_000;
    const sink = `let n = 0; require('net').createServer((s) => s.on('data', (d) => (n += d.length)).on('end', () => { console.log('got ' + n); process.exit(); })).listen(4000, () => console.log('up'))`;
    const source = `require('net').connect(4000, 'h1').end(Buffer.alloc(${size}))`;
    const server = bed.start('h1', [process.execPath, '-e', sink]);
    await server.waitFor(/up/);
    const before = bed.bytes();
    t.equal((await bed.run('h0', [process.execPath, '-e', source])).status, 0);
    await server.waitFor(new RegExp(`got ${size}`));
    const after = bed.bytes();
    const sent = (after['h0']?.sent ?? 0) - (before['h0']?.sent ?? 0);
    const received = (after['h1']?.received ?? 0) - (before['h1']?.received ?? 0);
    t.ok(sent >= size && sent < size * 1.1, `${sent} bytes left h0`);
    t.ok(received >= size && received < size * 1.1, `${received} bytes reached h1`);

    bed.link('h1', 'down');
    // Pulled: no answer, or none but h0's own that h1 is not there. Plugged in again: h1 itself refuses, once the
    // switch has seen the cable and h0 has asked again where h1 is, which takes a second and more.
    const knock = (patienceMs: number): string =>
      `require('net').connect(4000, 'h1').on('error', (e) => { console.log(e.code); process.exit(); }); setTimeout(() => process.exit(9), ${patienceMs})`;
    const pulled = await bed.run('h0', [process.execPath, '-e', knock(700)]);
    t.ok(pulled.status === 9 || /EHOSTUNREACH/.test(pulled.stdout), `${pulled.status} ${pulled.stdout}`);
    bed.link('h1', 'up');
    let plugged = await bed.run('h0', [process.execPath, '-e', knock(20_000)]);
    for (let tries = 0; tries < 5 && /EHOSTUNREACH/.test(plugged.stdout); tries += 1) {
      plugged = await bed.run('h0', [process.execPath, '-e', knock(20_000)]);
    }
    t.match(plugged.stdout, /ECONNREFUSED/);
  });
});

for (const mpi of MPIS) {
  const lacking = firstMissing(skip, needsMpi(mpi));
  t.test(`mpirun of ${mpi} spreads ranks over the hosts`, { skip: lacking }, async (t) => {
    await withHosts(2, 2, async (bed) => {
      const ended = await bed.mpirun({ mpi, env: { RAIL_X: 'x y' }, exported: ['RAIL_X'] }, [
        'sh',
        '-c',
        'echo "$(hostname) $RAIL_X ${OMPI_COMM_WORLD_SIZE:-$PMI_SIZE}"',
      ]);
      t.equal(ended.status, 0, ended.stderr);
      const lines = ended.stdout.trim().split(/\r?\n/).sort();
      t.same(lines, ['h0 x y 4', 'h0 x y 4', 'h1 x y 4', 'h1 x y 4']);
      t.equal((await bed.mpirun({ mpi }, ['sh', '-c', 'exit 7'])).status, 7);
    });
  });
}

t.test('nothing outlives a bed', { skip }, async (t) => {
  let pid = 0;
  let folder = '';
  await withHosts(1, 1, async (bed) => {
    folder = bed.folder;
    const sleeper = bed.start('h0', ['sh', '-c', 'echo up; sleep 1000']);
    await sleeper.waitFor(/up/);
    pid = bed.cell('h0').pid;
    t.ok(existsSync(`/proc/${pid}`));
    sleeper.finished.catch(() => undefined);
  });
  t.notOk(existsSync(`/proc/${pid}`));
  t.notOk(existsSync(folder));
});
