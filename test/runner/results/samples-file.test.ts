import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { writeSamples } from '../../../runner/results/samples-file.js';
import { measurementOf, parseCsv } from '../../helpers/result-samples.js';
import { withTempDir } from '../../helpers/with-temp-dir.js';

t.test('raw samples in the order taken, unrounded, phases below each other', (t) =>
  withTempDir(async (folder) => {
    const measurements = [
      measurementOf({ samplesUs: Float64Array.of(3.25, 1.0625), entrySkewUs: Float64Array.of(0.5, 0.25) }),
      measurementOf({ phase: 'load', samplesUs: Float64Array.of(7), sampleFacts: { blocks: [12] } }),
      measurementOf({ phase: 'free', samplesUs: Float64Array.of(8, 9), entrySkewUs: Float64Array.of(0.5) }),
      measurementOf({ phase: 'idle', samplesUs: new Float64Array(0) }),
    ];
    const path = await writeSamples(folder, { point: 12, rank: 3 }, measurements);
    t.equal(path, join(folder, 'samples', 'point-00012-rank-0003.csv'));
    t.match(parseCsv(readFileSync(path, 'utf8')), [
      { phase: 'total', iteration: '0', time_us: '3.25', entry_skew_us: '0.5', blocks: '' },
      { phase: 'total', iteration: '1', time_us: '1.0625', entry_skew_us: '0.25' },
      { phase: 'load', iteration: '0', time_us: '7', entry_skew_us: '', blocks: '12' },
      { phase: 'free', iteration: '0', entry_skew_us: '' },
      { phase: 'free', iteration: '1', entry_skew_us: '' },
    ]);
    await t.rejects(writeSamples(folder, { point: 12, rank: 3 }, []), {
      code: 'E_OUTPUT',
      message: /EEXIST/,
    });
  }),
);
