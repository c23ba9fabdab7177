/** What counts as a change of GPU code. */
import t from 'tap';
import { codeOf } from '../../scripts/bench/gpu-sources.js';

t.test('comments and line breaks are not code, literals are', async (t) => {
  const code = 'int a = 1;\n// why\nauto s = "// not a comment";  /* nor\n this */ char c = \'"\'; f("x");\n';
  t.equal(codeOf(code), 'int a = 1; auto s = "// not a comment"; char c = \'"\'; f("x");');
  t.equal(codeOf(code.replace('// why', '// because\n\n')), codeOf(code));
  t.not(codeOf(code.replace('not a', 'no')), codeOf(code));
});
