/** A request to try, as the demo page lists it. */
export interface DemoCall {
  readonly path: string;
  /** Options for curl before the URL, such as `-N`. */
  readonly flags: string;
  readonly what: string;
}

/** What the demo answers, in the order in which it is best tried. */
export const DEMO_CALLS: readonly DemoCall[] = [
  { path: '/hello', flags: '', what: 'answered by Sluice itself, from one prepared reply' },
  { path: '/api/whoami', flags: '', what: 'proxied: two upstreams take turns' },
  { path: '/api/echo', flags: "-d 'any body' ", what: 'proxied: what the upstream received, headers and all' },
  { path: '/api/stream', flags: '-N ', what: 'proxied: a line every quarter of a second, as it comes' },
  { path: '/api/slow', flags: '', what: 'proxied: answers after five seconds, for the drain below' },
  { path: '/old/page?a=1', flags: '-i ', what: 'redirected' },
];

/** The demo's page: self-contained, and readable as text too. `origin` is where the demo listens. */
export function demoPage(origin: string): string {
  const calls = DEMO_CALLS.map(
    ({ path, flags, what }) => `      <li>
        <pre><code>curl ${escaped(flags)}<span class="origin">${origin}</span>${escaped(path)}</code></pre>
        <p>${what}</p>
      </li>`,
  ).join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice is running</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M1 4q3.5-3 7 0t7 0M1 9q3.5-3 7 0t7 0M1 14q3.5-3 7 0t7 0' fill='none' stroke='%230e8fa8' stroke-width='2'/%3E%3C/svg%3E">
<style>${STYLE}</style>
</head>
<body>
<main>
  <header>
    <h1><span aria-hidden="true">≋</span> Sluice is running</h1>
    <p>An HTTP server and reverse proxy for Node.js that never drops a request. This page, the proxy and the two
    upstreams behind it run in one process on your machine; nothing else is installed or contacted.</p>
  </header>
  <section>
    <h2>Who answers?</h2>
    <div class="live">
      <button id="ask" type="button">GET /api/whoami</button>
      <span class="chip" data-name="red">red <b>0</b></span>
      <span class="chip" data-name="blue">blue <b>0</b></span>
      <output id="answer">Press the button: the two upstreams take turns.</output>
    </div>
  </section>
  <section>
    <h2>Try it</h2>
    <ul>
${calls}
    </ul>
  </section>
  <section>
    <h2>See a drain</h2>
    <ol>
      <li>In one terminal: <code>curl <span class="origin">${origin}</span>/api/slow</code></li>
      <li>Within five seconds, press <kbd>Ctrl</kbd>&thinsp;<kbd>C</kbd> where the demo runs.</li>
      <li>The port is closed to new connections at once. The slow answer still arrives, whole. Then the demo logs its
        drain report and exits with code 0. A second <kbd>Ctrl</kbd>&thinsp;<kbd>C</kbd> would not have waited.</li>
    </ol>
  </section>
  <footer>
    Your own configuration: <code>sluice run sluice.yaml</code> &middot; one line: <code>sluice proxy --listen
    127.0.0.1:8080 --to http://127.0.0.1:3000</code> &middot; every option: <code>docs/config.md</code>
  </footer>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

const STYLE = `
:root { color-scheme: light dark; --ink: #12232b; --dim: #5a6f78; --page: #f4f8f9; --card: #fff; --line: #d9e4e8; --water: #0e7f97; --code: #0b2a33; --on-code: #d8f3f8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eff2; --dim: #93a9b2; --page: #0b1417; --card: #111e23; --line: #21343b; --water: #4cc6de; --code: #071013; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 3.5rem 1.25rem 4rem; }
h1 { font-size: clamp(1.9rem, 6vw, 2.7rem); line-height: 1.15; margin: 0 0 .6rem; letter-spacing: -.02em; }
h1 span, h2 { color: var(--water); }
h2 { font-size: .85rem; text-transform: uppercase; letter-spacing: .09em; margin: 0 0 .8rem; }
header p { color: var(--dim); margin: 0; max-width: 40rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.3rem 1.4rem; margin-top: 1.25rem; }
ul { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: minmax(0, 1fr); gap: .9rem; }
ul p { margin: .25rem 0 0; color: var(--dim); font-size: .92rem; }
ol { margin: 0; padding-left: 1.2rem; display: grid; gap: .5rem; }
pre { margin: 0; overflow-x: auto; background: var(--code); color: var(--on-code); border-radius: 8px; padding: .6rem .8rem; }
code, output { font: .9rem/1.5 ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre code { overflow-wrap: normal; }
kbd { font: .82rem ui-monospace, Menlo, monospace; border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 5px; padding: .05rem .4rem; }
.live { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
.live output { flex-basis: 100%; color: var(--dim); }
button { font: inherit; font-weight: 600; color: #fff; background: #0e7f97; border: 0; border-radius: 8px; padding: .5rem .95rem; cursor: pointer; }
button:focus-visible { outline: 3px solid var(--water); outline-offset: 2px; }
.chip { border: 1px solid var(--line); border-radius: 99px; padding: .2rem .8rem; transition: background .3s; }
.chip[data-name=red].on { background: #e0565640; }
.chip[data-name=blue].on { background: #4b83f040; }
footer { margin-top: 1.6rem; color: var(--dim); font-size: .9rem; }
`;

const SCRIPT = `
for (const place of document.querySelectorAll('.origin')) place.textContent = location.origin;
const answer = document.getElementById('answer');
document.getElementById('ask').addEventListener('click', async () => {
  try {
    const reply = await (await fetch('/api/whoami')).json();
    answer.textContent = 'answered by ' + reply.upstream + ', its request number ' + reply.requestCount;
    for (const chip of document.querySelectorAll('.chip')) {
      const mine = chip.dataset.name === reply.upstream;
      chip.classList.toggle('on', mine);
      if (mine) chip.querySelector('b').textContent = reply.requestCount;
    }
  } catch {
    answer.textContent = 'No answer: the demo has stopped.';
  }
});
`;

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
