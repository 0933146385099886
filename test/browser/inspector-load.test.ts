/** The page under load: a million messages, expressions that take forever, a browser that is stopped. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { connect, listen } from 'seqpacket';
import { inspected } from '../support/inspector.js';
import { closing, Python } from '../support/peers.js';
import { scratchPath } from '../support/scratch.js';
import { noBrowser, openPage, startBrowser, startBrowserProcess } from './inspector-page.js';

const OPTIONS = { timeout: 280_000, skip: noBrowser };

const MESSAGES = 1_000_000;
/** Messages that are sent before their answers are awaited. */
const AT_ONCE = 500;

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
    // The page shows what passes while it is open: the history of the inspector is shorter.
    const [path, between] = [scratchPath(), scratchPath('between')];
    const acceptor = closing(t, listen(path));
    const address = await addressOf(t, between, path);
    const { page, ...shown } = await openPage(t, browser, address).then((shown) => ({
      page: shown.page,
      says: shown.says.bind(shown),
      selects: shown.selects.bind(shown),
      press: shown.press.bind(shown),
    }));
    const client = closing(t, await connect(between));
    const server = closing(t, await acceptor.accept());
    const counted = async () =>
      Number(/^[\d,]+/.exec((await page.textContent('.totals'))!)![0].replaceAll(',', ''));
    for (let sent = 0; sent < MESSAGES; sent += 2 * AT_ONCE) {
      for (let index = 0; index < AT_ONCE; index++) {
        await client.send(Buffer.from(`{"request":${sent + 2 * index},"method":"get"}`));
        await server.receiveMessage();
        await server.send(Buffer.from(`{"answer":${sent + 2 * index}}`));
        await client.receiveMessage();
      }
      // So that the page leaves none out.
      if (sent % 50_000 === 0)
        while ((await counted()) < sent - 100_000) await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await shown.says(
      '.totals',
      `1,000,000 messages · ${(await page.textContent('.totals'))!.split('· ')[1]}`,
    );

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
    await shown.selects('{"answer":999998}');
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
    await shown.press('?');
    await shown.page.waitForSelector('.keys').catch(() => {});
    assert.ok(Date.now() - start < 3000);
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
    assert.ok(statesOf(group).length > 1 && statesOf(group).every((state) => state === 'T'));
    const stopped = await round(60_000);
    process.kill(-group, 'SIGCONT');
    t.diagnostic(
      `microseconds for a round trip: ${running.toFixed(0)}; with a stopped browser ${stopped.toFixed(0)}`,
    );
    assert.ok(stopped < 3 * running);
    await shown.press('End');
    await shown.selects('{"answer":59999}');
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
