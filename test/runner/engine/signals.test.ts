/** A stop by signal: what the first one begins, and what later ones and other ranks change. */
import { EventEmitter, once } from 'node:events';
import { mock } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { StopRequest } from '../../../runner/engine/signals.js';

interface Watched {
  readonly stop: StopRequest;
  readonly signals: EventEmitter;
  readonly said: string[];
  /** Emits `left` when the rank leaves without the others. */
  readonly exits: EventEmitter;
}

/** `graceSeconds` 0.001: what the ranks have for anything is over at once. */
function watch(graceSeconds: number | undefined): Watched {
  const [signals, exits] = [new EventEmitter(), new EventEmitter()];
  const said: string[] = [];
  const stop = new StopRequest({
    signals: signals as unknown as Pick<NodeJS.Process, 'on' | 'off'>,
    graceSeconds,
    onStop: () => said.push('stop'),
    exitWithoutPeers: (status) => exits.emit('left', status),
  });
  return { stop, signals, said, exits };
}

t.test('the first signal counts, and what comes after it changes nothing', async (t) => {
  const { stop, signals, said } = watch(undefined);
  t.same([stop.status, stop.signal], [0, '']);
  signals.emit('SIGTERM');
  signals.emit('SIGINT');
  stop.note(130, 'SIGINT');
  t.same([stop.status, stop.signal, said], [143, 'SIGTERM', ['stop']]);
  t.ok(stop.rowsEndAt > performance.now() && stop.othersMs > 0);
  stop.close();
  signals.emit('SIGINT');
  t.equal(signals.listenerCount('SIGTERM'), 0);
});

t.test('a signal of another rank leaves this one its own, which may still come', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const { stop, signals, said, exits } = watch(0.001);
  const left: number[] = [];
  exits.on('left', (status: number) => left.push(status));
  stop.agreed(130);
  t.same([stop.status, stop.signal, said], [0, '', []]);
  t.equal(stop.othersMs, 0, 'nobody waits for this rank');
  mock.timers.tick(10_000);
  t.same(left, [130], 'where it does not come to its end, it leaves as was agreed');
  signals.emit('SIGTERM');
  t.same([stop.status, said], [143, ['stop']]);
  stop.close();
});

t.test('where the ranks do not agree in time, this one leaves without them', async (t) => {
  const { stop, signals, exits } = watch(0.001);
  const left = once(exits, 'left');
  signals.emit('SIGTERM');
  t.same(await left, [143]);
  stop.close();
  const closed = watch(0.001);
  closed.signals.emit('SIGTERM');
  closed.stop.close();
  let isLate = false;
  closed.exits.on('left', () => (isLate = true));
  await sleep(50);
  t.notOk(isLate, 'a run that is closed is over');
});
