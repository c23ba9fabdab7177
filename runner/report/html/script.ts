/** The page's script: the search and the tips over plots. Without it the page shows everything all the same. */
export const SCRIPT = `
'use strict';
const find = document.getElementById('find');
const found = document.getElementById('found');
const rows = [...document.querySelectorAll('tr[data-row]')];
const blocks = [...document.querySelectorAll('[data-block]')];
document.querySelector('.find').hidden = false;
function search() {
  const words = find.value.toLowerCase().split(' ').filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    row.hidden = words.length > 0 && !words.every((word) => row.textContent.toLowerCase().includes(word));
    if (!row.hidden) shown += 1;
  }
  for (const block of blocks) {
    block.hidden = words.length > 0 && block.querySelector('tr[data-row]:not([hidden])') === null;
  }
  found.textContent = words.length > 0 ? shown + ' of ' + rows.length + ' rows' : '';
}
let waiting = 0;
find.addEventListener('input', () => {
  clearTimeout(waiting);
  waiting = setTimeout(search, 120);
});
const tip = document.getElementById('tip');
document.addEventListener('pointermove', (event) => {
  const mark = event.target.closest ? event.target.closest('[data-tip]') : null;
  tip.hidden = mark === null;
  if (mark === null) return;
  tip.textContent = mark.dataset.tip.split('; ').join('\\n');
  tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + 'px';
  tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + 'px';
});
`;
