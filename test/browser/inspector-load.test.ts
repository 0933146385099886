/** The page under load: a million messages, expressions that take forever, a browser that is stopped. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { connect, listen } from 'seqpacket';
import { inspected } from '../support/inspector.js';
import { closing, Python } from '../support/peers.js';
import { scratchPath } from '../support/scratch.js';
import { serveFrames } from './frame-server.js';
import { noBrowser, openPage, startBrowser, startBrowserProcess } from './inspector-page.js';

const OPTIONS = { timeout: 280_000, skip: noBrowser };

const MESSAGES = 1_000_000;
/** A service that answers each message with its number. */
const SERVICE = `
  listener = listen(args[0])
  while True:
      connection, _ = listener.accept()
      while True:
          data = connection.recv(4096)
          if not data: break
          connection.send(b'{"answer":' + data + b'}')
`;

async function addressOf(t: Parameters<typeof inspected>[0], from: string, to: string): Promise<string> {
  const { page } = await inspected(t, from, to, '--quiet');
  return `http://127.0.0.1:${page.port}/#token=${page.token}`;
}

describe('the page under load', OPTIONS, () => {
  it('scrolls, filters and searches among a million messages', async (t) => {
    const browser = await startBrowser();
    t.after(() => browser.close());
    const start = Date.now();
    const shown = await openPage(t, browser, await serveFrames(t, MESSAGES));
    const { page } = shown;
    await page.waitForSelector('.totals >> text=1,000,000 messages', { timeout: 120_000 });
    t.diagnostic(`reading the messages took ${Date.now() - start} ms`);

    const frames = await page.evaluate(async () => {
      const list = document.getElementById('messages')!;
      const measure = async (move: (index: number) => void) => {
        const gaps: number[] = [];
        let last = performance.now();
        for (let index = 0; index < 120; index++) {
          move(index);
          await new Promise(requestAnimationFrame);
          gaps.push(performance.now() - last);
          last = performance.now();
        }
        return gaps.sort((one, other) => one - other);
      };
      const bar = await measure((index) => {
        list.scrollTop = (list.scrollHeight * ((index * 37) % 120)) / 120;
      });
      list.scrollTop = 0;
      await new Promise((resolve) => setTimeout(resolve, 300));
      const wheel = await measure(() => {
        list.scrollTop += 200;
      });
      return { bar, wheel };
    });
    for (const [way, gaps] of Object.entries(frames)) {
      const [median, p95, max] = [60, 114, 119].map((index) => gaps[index]!.toFixed(1));
      t.diagnostic(`${way}: milliseconds between frames: median ${median}, 95 % ${p95}, max ${max}`);
      assert.ok(gaps[60]! < 50, 'half of the frames take 50 ms');
    }

    await page.click('#messages');
    await shown.press('Home');
    await shown.selects('{"request":0,');
    await shown.press('End');
    await shown.selects('{"answer":999999,');
    await shown.press('PageUp', 'ArrowUp', 'ArrowDown');
    await page.waitForSelector('#messages [aria-selected=true]');
    await page.fill('#search', '{"request":500000,');
    await shown.press('Enter');
    await page.waitForFunction(
      () => document.querySelector('.search-count')?.textContent === '1',
      undefined,
      { timeout: 60_000 },
    );
    await shown.press('Enter');
    await shown.selects('{"request":500000,');
    await page.fill('#filter', '/^..answer..99999\\d/');
    await page.waitForFunction(
      () => /^5 of 1,000,000 /.test(document.querySelector('.filter-state')?.textContent ?? ''),
      undefined,
      { timeout: 60_000 },
    );
  });

  it('survives a regular expression that takes forever', async (t) => {
    const browser = await startBrowser();
    t.after(() => browser.close());
    const [path, between] = [scratchPath(), scratchPath('between')];
    const acceptor = closing(t, listen(path));
    const shown = await openPage(t, browser, await addressOf(t, between, path));
    const client = closing(t, await connect(between));
    closing(t, await acceptor.accept());
    const text = `${'a'.repeat(60)}!`;
    await client.send(Buffer.from(text));
    await shown.shows([text]);
    await shown.page.fill('#filter', '/^(a+)+$/');
    await shown.page.fill('#search', '/^(a|a)+$/');
    // Meanwhile, the page responds.
    const start = Date.now();
    await shown.page.evaluate(() => new Promise(requestAnimationFrame));
    assert.ok(Date.now() - start < 2000);
    await shown.page.waitForSelector('.filter-state.error >> text=takes too long', { timeout: 30_000 });
    await shown.page.waitForSelector('.search-count >> text=too slow', { timeout: 30_000 });
    await shown.page.fill('#filter', 'AA!');
    await shown.shows([text]);
  });

  it('that is stopped does not hold up the service', async (t) => {
    const { browser, server } = await startBrowserProcess(t);
    const [path, between] = [scratchPath(), scratchPath('between')];
    const python = new Python(t, SERVICE, path);
    assert.equal(await python.says(), 'listening');
    const shown = await openPage(t, browser, await addressOf(t, between, path));
    const client = closing(t, await connect(between));
    const round = async (count: number) => {
      const start = performance.now();
      for (let index = 0; index < count; index++) {
        await client.send(Buffer.from(`${index}`));
        await client.receiveMessage();
      }
      return ((performance.now() - start) / count) * 1000;
    };
    await round(2000);
    const running = await round(20_000);
    const group = server.process().pid!;
    process.kill(-group, 'SIGSTOP');
    t.after(() => process.kill(-group, 'SIGCONT'));
    const isStopped = () =>
      statesOf(group).length > 1 && statesOf(group).every((state) => 'TZ'.includes(state));
    while (!isStopped()) await new Promise((resolve) => setTimeout(resolve, 10));
    const stopped = await round(60_000);
    process.kill(-group, 'SIGCONT');
    t.diagnostic(
      `microseconds for a round trip: ${running.toFixed(0)}; with a stopped browser ${stopped.toFixed(0)}`,
    );
    assert.ok(stopped < 3 * running);
    // The list follows the newest.
    await shown.page.waitForSelector('.message >> text={"answer":59999}', { timeout: 60_000 });
  });
});

/** The states of the processes of a group, as in ps. */
function statesOf(group: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/stat`))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .split(' ');
      } catch {
        return [];
      }
    })
    .filter(([, , processGroup]) => Number(processGroup) === group)
    .map(([state]) => state!);
}
