/** Syntax trees of sources, each made once for all the rules that look at it. */
import ts from 'typescript';
import type { Source } from './sources.js';

const files = new WeakMap<Source, ts.SourceFile>();

export function parsed(source: Source): ts.SourceFile {
  const known = files.get(source);
  if (known !== undefined) return known;
  const file = ts.createSourceFile(
    source.path,
    source.text,
    ts.ScriptTarget.Latest,
    true,
    kindOf(source.path),
  );
  files.set(source, file);
  return file;
}

/** By the name's ending; bin/railrunner has none. */
const kindOf = (path: string): ts.ScriptKind => (path.endsWith('.ts') ? ts.ScriptKind.TS : ts.ScriptKind.JS);
