import t from 'tap';
import { cppFunctions, lengthViolations } from './lengths.js';
import { nativeSources, sentences, typescriptSources } from './sources.js';

t.test('files and functions are short', async (t) => {
  t.same(sentences(lengthViolations([...typescriptSources(), ...nativeSources()])), []);
});

t.test('planted long files and functions are found', async (t) => {
  const long = (count: number): string => 'x();\n'.repeat(count);
  const cases: [string, string, RegExp | null][] = [
    ['runner/x.ts', long(251), /251 lines, at most 250/],
    ['runner/x.ts', long(250), null],
    ['native/core/x.cc', long(401), /401 lines, at most 400/],
    ['runner/x.ts', `class A {\n  go() {\n${long(69)}}\n}`, /go has 71 lines/],
    ['runner/x.ts', `const go = () => {\n${long(68)}};`, null],
    [
      'native/core/x.cc',
      `namespace a {\nstruct S : B {\n  void S::go(int x) const {\n${long(69)}}\n};\n}`,
      /S::go has 71/,
    ],
    ['native/core/x.cc', `namespace a {\nnamespace b {\n${long(90)}}\n}`, null],
    ['native/core/x.cc', `// void f() {\nconst char* s = "void f() {";\n${long(90)}`, null],
  ];
  for (const [path, text, expected] of cases) {
    const said = sentences(lengthViolations([{ path, text }]));
    if (expected === null) t.same(said, []);
    else t.match(said.join(), expected);
  }
});

t.test('the functions of a C++ file are seen by name', async (t) => {
  const text = `
extern "C" {
namespace railrunner {
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }
};
template <typename T>
__global__ void fill(T* p, unsigned char c = '{') {
  if (p) { auto f = [&](int x) { return x; }; }
}
static const int table[] = {1, 2};
}
}`;
  t.same(
    cppFunctions({ path: 'native/core/x.cc', text }).map(({ name }) => name),
    ['Error', 'code', 'fill'],
  );
});
