import t from 'tap';
import { includeViolations, testHeaderViolations } from './includes.js';
import { nativeSources, sentences } from './sources.js';

t.test('includes point down', async (t) => {
  const sources = nativeSources();
  t.ok(sources.length > 10, 'the rule looks at the real files');
  t.same(sentences(includeViolations(sources)), []);
});

t.test('a planted include against the levels is found', async (t) => {
  const planted: [string, string, RegExp | null][] = [
    ['native/kv/x.cc', '#include "core/error.h"', null],
    ['native/kv/x.cc', '#include "kv/layout.h"', null],
    ['native/kv/x.cc', '#include "moe/plan.h"', /sideways: kv -> moe/],
    ['native/core/x.h', '  #  include "device/device.h"', /upwards: core -> device/],
    ['native/network/x.cc', '#include "binding/worker_thread.h"', /upwards/],
    ['native/kv/x.cc', '#include "layout.h"', /names no module/],
    ['native/kv/x.cc', '#include <napi.h>', /binding\/napi_setup\.h/],
    ['native/binding/x.cc', '#include <napi.h>', /binding\/napi_setup\.h/],
    ['native/world/world.cc', '#include <mpi.h>', /plug-in table/],
    ['native/world/plugin/p.cc', '#include <mpi.h>', null],
    ['native/kv/copy.cc', '#include <cuda_runtime.h>', /CUDA/],
    ['native/kv/copy.cu', '#include <cuda_runtime.h>', null],
    ['native/test/x_test.cc', '#include "moe/plan.h"', null],
    ['native/bench/x_bench.cc', '#include "moe/plan.h"', null],
    ['native/moe/x.cc', '#include "bench/x.h"', /names no module/],
  ];
  for (const [path, text, expected] of planted) {
    const said = sentences(includeViolations([{ path, text }]));
    if (expected === null) t.same(said, [], `${path}: ${text}`);
    else t.match(said.join(), expected, `${path}: ${text}`);
  }
});

t.test('headers of tests lie with their only user', async (t) => {
  t.same(sentences(testHeaderViolations(nativeSources())), []);
  const shared = { path: 'native/test/support/x.h', text: '' };
  const user = (path: string) => ({ path, text: '#include "test/support/x.h"\n' });
  const kv = user('native/test/kv/a_test.cc');
  t.same(sentences(testHeaderViolations([shared, kv, user('native/test/moe/b_test.cc')])), []);
  t.match(sentences(testHeaderViolations([shared, kv])).join(), /only by tests of kv.*native\/test\/kv/s);
  t.match(sentences(testHeaderViolations([shared])).join(), /included by no test/);
  t.match(
    sentences(testHeaderViolations([{ path: 'native/test/y.h', text: '' }])).join(),
    /lies in no folder/,
  );
});
