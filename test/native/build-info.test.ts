import t from 'tap';
import { addon } from '../../runner/native/binding.js';
import { railrunnerVersion } from '../../runner/project.js';

t.test('the addon says which version it was built from, and how', async (t) => {
  const build = addon().buildInfo();
  t.equal(build.version, railrunnerVersion());
  t.match(build, { buildType: 'Release', sanitizers: '' });
  t.ok(build.cuda === null || /^\d+\.\d+$/.test(build.cuda), `CUDA ${build.cuda}`);
});
