import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../runner/project.js';
import { sourcesBelow, type Source } from './sources.js';

/** Headings as GitHub makes anchors of them. */
function anchorsOf(text: string): string[] {
  const outsideCode = text.replace(/^```[^]*?^```/gm, '');
  return [...outsideCode.matchAll(/^#+\s+(.*)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}

function brokenLinks(documents: readonly Source[], exists: (path: string) => boolean): string[] {
  const texts = new Map(documents.map(({ path, text }) => [path, text]));
  const broken: string[] = [];
  for (const { path, text } of documents) {
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : normalize(join(dirname(path), file));
      const inside = texts.get(target);
      const missing = anchor !== undefined && inside !== undefined && !anchorsOf(inside).includes(anchor);
      if (!exists(target) || missing)
        broken.push(`${path}: ${link} leads nowhere: fix the link or the target`);
    }
  }
  return broken;
}

t.test('links between documents resolve', async (t) => {
  const documents = sourcesBelow(
    ['README.md', 'CHANGELOG.md', 'docs', 'configs', 'results/README.md'],
    /\.md$/,
  );
  t.ok(documents.length >= 3);
  t.same(
    brokenLinks(documents, (path) => existsSync(join(projectRoot, path))),
    [],
  );
});

t.test('a planted broken link is found', async (t) => {
  const text = '# A b, c!\n[x](y.md) [a](#a-b-c) [b](#nope) [c](https://example.org/z) [d](z.md)';
  const broken = brokenLinks([{ path: 'docs/x.md', text }], (path) => path !== 'docs/y.md');
  t.equal(broken.length, 2);
  t.match(broken.join(), /y\.md[^]*#nope/);
});
