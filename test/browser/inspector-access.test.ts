/** The page for everybody: axe-core finds nothing, the keyboard reaches everything, and a phone is wide enough. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { AxeResults, RunOptions } from 'axe-core';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { connect, listen } from 'seqpacket';
import { inspected } from '../support/inspector.js';
import { closing } from '../support/peers.js';
import { scratchPath } from '../support/scratch.js';
import { DESKTOP, type InspectorPage, noBrowser, openPage, PHONE, startBrowser } from './inspector-page.js';

const OPTIONS = { timeout: 200_000, skip: noBrowser };

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES: RunOptions = {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
};

/** Fails if axe-core finds something. */
async function check({ page }: InspectorPage, what: string): Promise<void> {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async (rules) => {
    const { axe } = globalThis as unknown as { axe: { run(options: RunOptions): Promise<AxeResults> } };
    const { violations } = await axe.run(rules);
    return violations.map(
      ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`,
    );
  }, RULES);
  assert.deepEqual(violations, [], what);
}

describe('the page is accessible', OPTIONS, () => {
  let browser: Browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser.close());

  /** A page with six messages of two connections, one of which is closed. */
  async function open(t: TestContext, options: BrowserContextOptions = {}): Promise<InspectorPage> {
    const [path, between] = [scratchPath(), scratchPath('between')];
    const acceptor = closing(t, listen(path));
    const { page } = await inspected(t, between, path, '--quiet');
    const shown = await openPage(t, browser, `http://127.0.0.1:${page.port}/#token=${page.token}`, options);
    for (const number of [1, 2]) {
      const client = closing(t, await connect(between));
      const server = closing(t, await acceptor.accept());
      await client.sendWithFds(
        Buffer.from(`{"request":${number},"list":[1,[2],{"three":3}],"more":{"a":{"b":1}}}`),
        [0],
      );
      for (const fd of (await server.receiveMessage({ maxFds: 1 })).fds) fd.close();
      await server.send(Buffer.from(`{"answer":${number}}`));
      await client.receiveMessage();
      await client.send(Buffer.alloc(100, number));
      await server.receiveMessage();
      if (number === 1) client.close();
    }
    await shown.page.waitForSelector('#messages [role=row] >> text=02 02');
    return shown;
  }

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const viewport of [DESKTOP, PHONE]) {
      it(`${colorScheme}, ${viewport.width} pixels wide`, async (t) => {
        const shown = await open(t, { colorScheme, viewport });
        const { page } = shown;
        await check(shown, 'messages');
        if (viewport === PHONE) {
          for (const pane of ['Connections', 'Charts', 'Messages']) {
            await page.click(`.pane-buttons >> text=${pane}`);
            await check(shown, pane);
          }
        }
        await page.fill('#filter', '/\\d/');
        await page.fill('#search', 'list');
        await page.waitForSelector('.message.found');
        await page.click('#messages .message.found');
        for (const tab of ['1', '2', '3']) {
          await shown.press(tab);
          await check(shown, `a message, tab ${tab}`);
        }
        await shown.press('?');
        await page.waitForSelector('.keys');
        await check(shown, 'keys');
        await shown.press('Escape');
        await page.waitForSelector('.keys', { state: 'detached' });
        await shown.press('e');
        await page.waitForSelector('.composer');
        await check(shown, 'edit and send');
        await shown.press('Escape');
        await page.waitForSelector('.composer', { state: 'detached' });
        await shown.press('Space');
        await page.waitForSelector('.notices p');
        await check(shown, 'paused');
      });
    }
  }

  it('has the right tree', async (t) => {
    const { page } = await open(t);
    await page.click('#messages .message.to-server >> nth=0');
    const tree = await page.locator('body').ariaSnapshot();
    for (const line of [
      /- banner:/,
      /- heading ".* → .*" \[level=1\]/,
      /- toolbar "Trace":/,
      /- button "Pause"/,
      /- main:/,
      /- region "Connections":/,
      /- listbox "Connections":/,
      /- option "#2 .*(open|wait)/,
      /- region "Messages":/,
      /- 'searchbox "Filter: text or \/regular expression\/ in the contents"'/,
      /- grid "Messages":/,
      /- columnheader "Time"/,
      /- 'row "to server .*request.*:1,.*\[selected\]/,
      /- region "Details":/,
      /- region "Descriptors":/,
      /- tab "JSON" \[selected\]/,
      /- tabpanel "JSON":/,
      /- region "Charts":/,
      /- 'img "Latency: median/,
    ])
      assert.match(tree, line);
  });

  it('can be used with keys alone', async (t) => {
    const shown = await open(t);
    const { page } = shown;
    await shown.press('Home');
    await shown.selects('1 fd{"request":1,');
    await shown.press('ArrowDown');
    await shown.selects('{"answer":1}');
    await shown.press('/');
    await page.keyboard.type('answer');
    await shown.shows(['{"answer":1}', '{"answer":2}']);
    await shown.press('ArrowDown', 'ArrowDown');
    await shown.selects('{"answer":2}');
    await shown.press('/', 'Escape');
    await page.waitForSelector('.message >> text=02 02');
    await shown.press('Escape', 'Escape');
    await page.waitForSelector('.detail', { state: 'detached' });
    // Every button, field and list has the focus in turn, and it is seen where it is.
    const seen = new Set<string>();
    for (let index = 0; index < 40; index++) {
      await shown.press('Tab');
      const focused = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        const hasMark =
          getComputedStyle(element).outlineStyle !== 'none' ||
          getComputedStyle(element.querySelector('.list-window') ?? element, '::after').borderTopStyle ===
            'solid';
        return { name: element.id || element.title || element.getAttribute('aria-label') || '', hasMark };
      });
      assert.ok(focused.hasMark || focused.name === '', `the focus on ${focused.name} is not visible`);
      seen.add(focused.name);
    }
    for (const name of [
      'Pause (Space)',
      'Keys (?)',
      'connections',
      'filter',
      'To the server',
      'Descriptors',
      'search',
      'messages',
    ])
      assert.ok(seen.has(name), `${name}: ${[...seen].join(', ')}`);
    // The list of connections.
    await page.focus('#connections');
    await shown.press('Home', 'Enter');
    await shown.shows(['1 fd{"request":2,', '{"answer":2}', '02 02']);
    await shown.press('ArrowDown', 'Space');
    await page.waitForSelector('.message >> text={"answer":1}');
  });

  it('fits a phone', async (t) => {
    const shown = await open(t, { viewport: PHONE, hasTouch: true });
    const { page } = shown;
    const isTooWide = () =>
      page.evaluate(() =>
        [...document.querySelectorAll('*')]
          .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
          .map((element) => element.outerHTML.slice(0, 100)),
      );
    for (const pane of ['Connections', 'Charts', 'Messages']) {
      await page.tap(`.pane-buttons >> text=${pane}`);
      assert.deepEqual(await isTooWide(), [], pane);
    }
    await page.tap('#messages .message >> nth=1');
    await page.waitForSelector('.detail');
    for (const tab of ['Text', 'JSON', 'Hex']) {
      await page.tap(`[role=tab] >> text=${tab}`);
      assert.deepEqual(await isTooWide(), [], tab);
    }
    await page.tap('text=Back to the list');
    await page.waitForSelector('.message-list');
  });
});
