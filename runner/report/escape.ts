/** Text between tags and in attributes, of HTML and of XML alike. */
import { valueOf } from '../values/items.js';

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
]);

export function escapeMarkup(text: string): string {
  return text.replaceAll(/[&<>"']/g, (found) => valueOf(ENTITIES, found));
}
