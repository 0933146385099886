/** The page of the inspector in a real browser, Debian's chromium. */
import { existsSync } from 'node:fs';
import type { TestContext } from 'node:test';
import {
  type Browser,
  type BrowserContextOptions,
  type BrowserServer,
  chromium,
  type Page,
} from 'playwright-core';

const EXECUTABLE = '/usr/bin/chromium';

/** The reason to skip tests in a browser. In CI it has to be there. */
export const noBrowser =
  process.env['CI'] === undefined && !existsSync(EXECUTABLE) ? `${EXECUTABLE} is not installed` : false;

/** A browser is slow on a machine that does other things, too. */
const MAX_WAIT_MS = 60_000;

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 375, height: 740 };

/** Chromium refuses its sandbox to root. */
const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

/** For the tests of one file. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: EXECUTABLE, args });
}

/** A browser whose process is known, and is the leader of its process group. */
export async function startBrowserProcess(
  t: TestContext,
): Promise<{ browser: Browser; server: BrowserServer }> {
  const server = await chromium.launchServer({ executablePath: EXECUTABLE, args });
  t.after(() => server.kill());
  return { browser: await chromium.connect(server.wsEndpoint()), server };
}

/** Opens the address that a trace has printed. Errors of the page, and what its policy has blocked, fail the test. */
export async function openPage(
  t: TestContext,
  browser: Browser,
  address: string,
  options: BrowserContextOptions = {},
): Promise<InspectorPage> {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  context.setDefaultTimeout(MAX_WAIT_MS);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error.stack)));
  page.on('console', (message) => {
    // Refused requests are shown by the page itself.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      errors.push(message.text());
  });
  t.after(async () => {
    await context.close().catch(() => {});
    if (errors.length > 0) throw new Error(errors.join('\n'));
  });
  await page.goto(address);
  await page.waitForSelector('.status-live, .status-complete, .status-ended');
  return new InspectorPage(page);
}

export class InspectorPage {
  constructor(readonly page: Page) {}

  /** The contents of the visible rows, from the top to the bottom. */
  async contents(): Promise<string[]> {
    return this.page.$$eval('#messages .list-window [role=row]', (rows) =>
      rows
        .map((row) => ({ row, top: row.getBoundingClientRect().top }))
        .sort((one, other) => one.top - other.top)
        .map(({ row }) => row.querySelector('.cell-contents')?.textContent ?? ''),
    );
  }

  /** Waits until the contents of the visible rows begin with these texts. */
  async shows(expected: readonly string[]): Promise<void> {
    await this.#until(async () => {
      const contents = await this.contents();
      return contents.map((text, index) => text.slice(0, expected[index]?.length));
    }, expected);
  }

  /** Waits until an element has this text. */
  async says(selector: string, expected: string): Promise<void> {
    await this.#until(async () => (await this.page.locator(selector).allTextContents()).join(' '), expected);
  }

  /** Waits until the contents of the selected row begin with this text. */
  async selects(expected: string): Promise<void> {
    await this.#until(async () => {
      const texts = await this.page
        .locator('#messages [aria-selected=true] .cell-contents')
        .allTextContents();
      return texts.join(' ').slice(0, expected.length);
    }, expected);
  }

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** Drops a file. */
  async drop(name: string, contents: Buffer): Promise<void> {
    await this.page.evaluate(
      ([name, base64]) => {
        const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], name));
        for (const type of ['dragover', 'drop'])
          document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      },
      [name, contents.toString('base64')] as const,
    );
  }

  /** Waits until a value is as expected; after some time, the assertion fails. */
  async #until<Value>(read: () => Promise<Value>, expected: Value): Promise<void> {
    const end = Date.now() + MAX_WAIT_MS;
    const wanted = JSON.stringify(expected);
    for (;;) {
      const value = await read();
      if (JSON.stringify(value) === wanted) return;
      if (Date.now() > end) throw new Error(`${JSON.stringify(value)}\nis not\n${wanted}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
