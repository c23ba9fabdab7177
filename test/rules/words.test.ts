import t from 'tap';
import { nativeSources, sentences, sourcesBelow, typescriptSources } from './sources.js';
import { nameViolations, wordViolations } from './words.js';

const TEXTS = [
  'README.md',
  'CHANGELOG.md',
  'docs',
  'configs',
  'bin',
  '.ci',
  'package.json',
  'native/CMakeLists.txt',
];

t.test('no banned word, call or name', async (t) => {
  const code = [...typescriptSources(), ...nativeSources()];
  const sources = [...code, ...sourcesBelow(TEXTS, /\.(md|json|txt)$|\/(run|railrunner)$/)];
  t.same(sentences(wordViolations(sources)), []);
  t.same(sentences(nameViolations(code.map(({ path }) => path))), []);
});

t.test('planted words, calls and names are found', async (t) => {
  const planted: [string, string, number][] = [
    ['runner/x.ts', '// TODO later', 1],
    ['docs/x.md', 'see /home/someone/x', 1],
    ['docs/x.md', 'https://example.org/home/x and ./work/x', 0],
    ['runner/job-spec/x.ts', 'process.env.HOME', 1],
    ['runner/environment/x.ts', 'process.env.HOME', 0],
    ['runner/cli/x.ts', 'process.exit(1)', 1],
    ['runner/main.ts', 'process.exit(1)', 0],
    ['native/core/x.cc', 'std::getenv("X"); exit(1); abort();', 3],
    ['native/world/x.cc', 'plugin->abort(status); MPI_Abort(comm, 1);', 0],
    ['native/kv/x.cc', 'check(cudaMemcpy(a, b,\n  n, cudaMemcpyHostToDevice), "");', 1],
    ['native/kv/x.cc', 'cudaMemcpy(b, a, n, cudaMemcpyDeviceToHost);', 0],
    ['jobs/x.ts', 'console.log(1)', 1],
    ['runner/x.ts', '// oxlint-disable-next-line a', 1],
    ['runner/x.ts', '// oxlint-disable-next-line a -- because', 0],
    ['runner/x.ts', 'const a = b as any;', 1],
    ['test/x.test.ts', 't.only("x")', 1],
    ['docs/x.md', 'at the border; the native rooms below; `border: 0`', 3],
    ['runner/x.ts', 'every way of copying', 1],
    ['docs/x.md', 'it starts anew, beside the set-up; a rank is held for dead; memory cannot be had', 5],
    ['native/kv/cuda/x.cu', '// it starts anew', 1],
    ['docs/x.md', 'two copies under way; one row a rank; each rank writes its row again', 2],
  ];
  for (const [path, text, count] of planted) t.equal(wordViolations([{ path, text }]).length, count, text);
  const names = [
    'runner/utils.ts',
    'runner/myFile.ts',
    'native/core/MyFile.cc',
    'runner/my-file.ts',
    'native/core/a_b.h',
  ];
  t.equal(nameViolations(names).length, 3);
});
