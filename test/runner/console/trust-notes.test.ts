import t from 'tap';
import { TrustNotes } from '../../../runner/console/trust-notes.js';

function notesOf(
  rows: readonly { noise_pct?: number; aggregate_pct_of_peak?: number; stopped_by?: string }[],
): string[] {
  const notes = new TrustNotes();
  for (const row of rows) notes.add({ ...row });
  return notes.sentences();
}

t.test('steady rows below their peak need no note', async (t) => {
  t.same(notesOf([{ noise_pct: 2, aggregate_pct_of_peak: 97 }, { noise_pct: 10 }, {}]), []);
  t.same(notesOf([{ aggregate_pct_of_peak: 100.4 }]), []);
});

t.test('wide rows and rows above their peak are counted, with the worst', async (t) => {
  const [noise, peak] = notesOf([
    { noise_pct: 34.4, aggregate_pct_of_peak: 134.2 },
    { noise_pct: 12, aggregate_pct_of_peak: 99 },
    { noise_pct: 1 },
  ]);
  t.match(noise, /of 2 of 3 rows vary by more than 10 % \(at most 34 %\)/);
  t.match(peak, /1 rows exceed their peak \(at most 134 %\)/);
});

t.test('points that ended before their noise was low', async (t) => {
  t.same(notesOf([{ stopped_by: 'noise' }, {}]), []);
  const [note] = notesOf([
    { stopped_by: 'noise' },
    { stopped_by: 'maxSeconds' },
    { stopped_by: 'maxIterations' },
    {},
  ]);
  t.match(note, /^stopping: 2 of 3 rows ended by maxIterations or maxSeconds/);
});
