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

interface Link {
  readonly link: string;
  readonly target: string;
  readonly anchor: string | undefined;
}

/** Links of a document to others of the project. */
function linksOf({ path, text }: Source): Link[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [file = '', anchor] = link.split('#');
      return { link, target: file === '' ? path : normalize(join(dirname(path), file)), anchor };
    });
}

/** Documents that no chain of links leads to from README.md. */
function unreachable(documents: readonly Source[]): string[] {
  const byPath = new Map(documents.map((document) => [document.path, document]));
  const reached = new Set(['README.md']);
  for (const path of reached) {
    const document = byPath.get(path);
    if (document) for (const { target } of linksOf(document)) reached.add(target);
  }
  return documents.map(({ path }) => path).filter((path) => !reached.has(path));
}

function brokenLinks(documents: readonly Source[], exists: (path: string) => boolean): string[] {
  const texts = new Map(documents.map(({ path, text }) => [path, text]));
  const broken: string[] = [];
  for (const document of documents) {
    const { path } = document;
    for (const { link, target, anchor } of linksOf(document)) {
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

t.test('every page can be reached from README.md', async (t) => {
  const documents = sourcesBelow(['README.md', 'docs', 'configs', 'results/README.md'], /\.md$/);
  t.same(unreachable(documents), [], 'link them where a reader would look for them');
  const lost = { path: 'docs/lost.md', text: '[home](../README.md)' };
  t.same(unreachable([...documents, lost]), ['docs/lost.md'], 'a page that is linked nowhere is found');
});

t.test('a planted broken link is found', async (t) => {
  const text = '# A b, c!\n[x](y.md) [a](#a-b-c) [b](#nope) [c](https://example.org/z) [d](z.md)';
  const broken = brokenLinks([{ path: 'docs/x.md', text }], (path) => path !== 'docs/y.md');
  t.equal(broken.length, 2);
  t.match(broken.join(), /y\.md[^]*#nope/);
});
