/** The page's style sheet. Colours of series are those of Okabe and Ito, distinguishable with any colour vision; shapes repeat them. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --text: #1b1f24; --soft: #57606a; --line: #d0d7de; --grid: #e6e9ed; --raised: #f6f8fa;
  --bad: #a40e26; --bad-ground: #ffebe9; --good: #116329; --link: #0550ae; --limit: #57606a;
  --s1: #0072b2; --s2: #d55e00; --s3: #007a5a; --s4: #b0568a; --s5: #b87f00; --s6: #2f8fc4; --s7: #6e6e6e; --s8: #7a4b00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0d1117; --text: #e6edf3; --soft: #9aa4af; --line: #3d444d; --grid: #262c34; --raised: #161b22;
    --bad: #ff9a8f; --bad-ground: #3b1417; --good: #6fdc8c; --link: #79b8ff; --limit: #9aa4af;
    --s1: #4aa8e0; --s2: #ff8a4c; --s3: #2bd6a2; --s4: #e8a0c8; --s5: #ffc14d; --s6: #9bd8ff; --s7: #b4b4b4; --s8: #cfa76b;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; }
h2 { scroll-margin-top: 3.6rem; font-size: 1.25rem; margin: 2.2rem 0 .6rem; padding-bottom: .2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
h1, h2, h3, p, li, .rows td, .rows th { overflow-wrap: anywhere; }
td, th { overflow-wrap: break-word; }
.number, .word { white-space: nowrap; }
a { color: var(--link); }
code { font-family: ui-monospace, monospace; font-size: .92em; }
.soft, figcaption { color: var(--soft); }
.bad { color: var(--bad); font-weight: 600; }
.good { color: var(--good); }
.open { font-weight: 600; }
.notice { border: 1px solid var(--bad); background: var(--bad-ground); border-radius: 6px; padding: .2rem 1rem; }
.notice h2 { border: 0; margin: .6rem 0 .2rem; }
.jump { position: absolute; left: -999rem; }
.jump:focus { position: static; }
.find { position: sticky; top: 0; z-index: 1; background: var(--ground); padding: .5rem 0; }
.find input { width: min(28rem, 100%); font: inherit; padding: .35rem .6rem; color: inherit; background: var(--raised);
  border: 1px solid var(--soft); border-radius: 6px; }
.find output { color: var(--soft); margin-left: .6rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; font-variant-numeric: tabular-nums; }
.rows table { table-layout: fixed; min-width: 66rem; }
caption { text-align: left; color: var(--soft); padding: .2rem 0; }
th, td { text-align: left; padding: .22rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { background: var(--raised); }
.number { text-align: right; }
.rows > div { content-visibility: auto; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); gap: 1rem; }
.plots.wide { grid-template-columns: minmax(0, 1fr); }
figure { margin: 0; padding: .6rem; border: 1px solid var(--line); border-radius: 6px; min-width: 0; }
figure svg { display: block; max-width: 100%; height: auto; }
figcaption { font-size: .87rem; }
figcaption strong { color: var(--text); display: block; }
#tip { position: fixed; pointer-events: none; background: var(--text); color: var(--ground); padding: .2rem .5rem;
  border-radius: 4px; font-size: .8rem; max-width: 24rem; z-index: 2; white-space: pre-line; }
[hidden] { display: none !important; }
@page { margin: 12mm; }
@media print {
  :root {
    color-scheme: light;
    --ground: #ffffff; --text: #000000; --soft: #444444; --line: #bbbbbb; --grid: #e0e0e0; --raised: #f2f2f2;
    --bad: #a40e26; --bad-ground: #ffffff; --good: #116329; --link: #000000; --limit: #444444;
    --s1: #0072b2; --s2: #d55e00; --s3: #007a5a; --s4: #b0568a; --s5: #b87f00; --s6: #2f8fc4; --s7: #6e6e6e; --s8: #7a4b00;
  }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .find, .jump, #tip { display: none; }
  .scroll { overflow: visible; }
  .rows > div { content-visibility: visible; }
  table { font-size: 8pt; }
  th, td { padding: 1pt 3pt; }
  .rows table { min-width: 0; font-size: 6.5pt; }
  .number, .word { white-space: normal; }
  .plots:not(.wide) { grid-template-columns: 1fr 1fr; }
  figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  thead { display: table-header-group; }
}
`;
