// Makes docs/session.svg: two terminals during a real session of the command. Needs `script` of util-linux.
//
//   npm run build && node scripts/picture.mjs
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './native.mjs';

const COLUMNS = 92;
const directory = mkdtempSync(join(tmpdir(), 'seqpacket-picture-'));
mkdirSync(`${directory}/bin`);
writeFileSync(
  `${directory}/bin/seqpacket`,
  `#!/bin/sh\nexec '${process.execPath}' '${root}dist/cli.mjs' "$@"\n`,
);
chmodSync(`${directory}/bin/seqpacket`, 0o755);

/** Runs a command on a terminal of its own. */
function terminal(command) {
  const { NO_COLOR: _, ...inherited } = process.env;
  const env = { ...inherited, TERM: 'xterm-256color', PATH: `${directory}/bin:${process.env.PATH}` };
  const child = spawn('script', ['-qfec', `stty cols ${COLUMNS}; exec ${command}`, '/dev/null'], {
    cwd: directory,
    env,
  });
  const result = { command, child, output: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    result.output += text;
  });
  return result;
}

/** Waits for a text on the terminal. */
async function shows(terminal, text) {
  while (!terminal.output.includes(text)) {
    if (terminal.child.exitCode !== null) throw new Error(`${terminal.command} ended: ${terminal.output}`);
    await sleep(20);
  }
  // The rest of the same output.
  await sleep(200);
}

/** Letters, and the control sequences between them. */
const ESCAPE = '\u001b';
const TOKENS = new RegExp(`${ESCAPE}\\[([\\d;]*)([A-Za-z])|.`, 'gs');

/** The cells of a terminal after this output, each with a letter and a style. */
function screen(output) {
  const lines = [[]];
  let column = 0;
  let style = '';
  for (const [token, sequence, letter] of output.matchAll(TOKENS)) {
    const line = lines.at(-1);
    if (letter === 'm') style = STYLES[sequence] ?? '';
    else if (letter === 'G') column = Number(sequence || 1) - 1;
    else if (letter === 'J' || (letter === 'K' && sequence !== '2'))
      line.length = Math.min(line.length, column);
    else if (letter === 'K') line.length = 0;
    else if (letter !== undefined) throw new Error(`${JSON.stringify(token)} is not known here`);
    else if (token === '\r') column = 0;
    else if (token === '\n') lines.push([]);
    else {
      while (line.length < column) line.push({ text: ' ', style: '' });
      line[column++] = { text: token, style };
    }
  }
  return lines;
}

const STYLES = { 0: '', 1: 'bold', 2: 'dim', 31: 'red', 32: 'green', 33: 'yellow', 34: 'blue', 36: 'cyan' };

const LINE = 18;
const LETTER = 7.83;
const MARGIN = 14;
const HEAD = 30;
const WIDTH = Math.ceil(COLUMNS * LETTER + 2 * MARGIN);

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function lineOf(cells, y) {
  const runs = [];
  for (const { text, style } of cells) {
    if (runs.at(-1)?.style === style) runs.at(-1).text += text;
    else runs.push({ text, style });
  }
  const spans = runs.map(({ text, style }) =>
    style ? `<tspan class="${style}">${escaped(text)}</tspan>` : escaped(text),
  );
  return `<text x="${MARGIN}" y="${y}">${spans.join('')}</text>`;
}

/** A window at this height. */
function window({ command, output }, top) {
  const prompt = [...`$ ${command}`].map((text, index) => ({ text, style: index === 0 ? 'dim' : 'bold' }));
  const lines = [prompt, ...screen(output)];
  while (lines.at(-1).every(({ text }) => text.trim() === '' || text === '>')) lines.pop();
  const height = HEAD + lines.length * LINE + MARGIN;
  const buttons = [0, 1, 2].map(
    (index) => `<circle class="button" cx="${18 + 16 * index}" cy="${top + 15}" r="5"/>`,
  );
  const texts = lines.map((cells, index) => lineOf(cells, top + HEAD + 13 + index * LINE));
  const frame = `<rect class="window" x="0.5" y="${top + 0.5}" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>`;
  return { svg: [frame, ...buttons, ...texts].join('\n'), bottom: top + height };
}

const STYLE = `
  .window { fill: #f6f8fa; stroke: #d0d7de; }
  .button { fill: #d0d7de; }
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #1f2328;
    white-space: pre; }
  .bold { font-weight: 600; }
  .dim { fill: #59636e; }
  .red { fill: #cf222e; }
  .green { fill: #116329; }
  .yellow { fill: #7d4e00; }
  .blue { fill: #0550ae; }
  .cyan { fill: #0e6c78; }
  @media (prefers-color-scheme: dark) {
    .window { fill: #151b23; stroke: #3d444d; }
    .button { fill: #3d444d; }
    text { fill: #e6edf3; }
    .dim { fill: #9198a1; }
    .red { fill: #ff7b72; }
    .green { fill: #56d364; }
    .yellow { fill: #e3b341; }
    .blue { fill: #79c0ff; }
    .cyan { fill: #56d4dd; }
  }
`;

const children = [];
try {
  const service = spawn(
    `${directory}/bin/seqpacket`,
    ['listen', '--keep', '--exec', 'stdbuf -oL tr a-z A-Z', 'capitals.socket'],
    {
      cwd: directory,
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  children.push(service);
  while (!existsSync(`${directory}/capitals.socket`)) await sleep(20);
  const trace = terminal('seqpacket trace between.socket capitals.socket');
  children.push(trace.child);
  await shows(trace, 'listening at');
  const client = terminal('seqpacket connect --fd /etc/hostname between.socket');
  children.push(client.child);
  await shows(client, 'connected to');
  for (const line of ['hello', 'is this one message?']) {
    client.child.stdin.write(`${line}\r`);
    await shows(client, line.toUpperCase());
  }
  client.child.stdin.write('\x04');
  await shows(trace, 'closed');

  const first = window(client, 0);
  const second = window(trace, first.bottom + 12);
  const size = `width="${WIDTH}" height="${second.bottom}" viewBox="0 0 ${WIDTH} ${second.bottom}"`;
  const title =
    '<title>Above, a client types lines and gets answers; below, seqpacket trace shows each message</title>';
  writeFileSync(
    `${root}docs/session.svg`,
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img">\n${title}\n<style>${STYLE}</style>\n${first.svg}\n${second.svg}\n</svg>\n`,
  );
} finally {
  for (const child of children) child.kill();
  rmSync(directory, { recursive: true });
}
