/** The page of `trace --web` in a browser: live traffic of a real service, and everything that can be done with it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Browser } from 'playwright-core';
import { connect, type SeqpacketSocket } from 'seqpacket';
import type { Cli } from '../support/command.js';
import { inspected, type Page } from '../support/inspector.js';
import { closing, Python } from '../support/peers.js';
import { missing } from '../support/programs.js';
import { scratchPath } from '../support/scratch.js';
import { type InspectorPage, noBrowser, openPage, startBrowser } from './inspector-page.js';

const OPTIONS = { timeout: 120_000, skip: noBrowser };

/** A service that answers each message with the same in upper case, without the descriptors. */
const SERVICE = `
  import threading
  listener = listen(args[0])
  def serve(connection):
      while True:
          data, fds, flags, _ = socket.recv_fds(connection, 300000, 10)
          for fd in fds: os.close(fd)
          if not data: break
          connection.send(data.upper())
      connection.close()
  while True:
      threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
`;

interface Inspected {
  shown: InspectorPage;
  client: SeqpacketSocket;
  between: string;
  trace: Cli;
  page: Page;
  python: Python;
}

describe('the page of a trace', OPTIONS, () => {
  let browser: Browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser.close());

  async function open(t: TestContext): Promise<Inspected> {
    const path = scratchPath();
    const python = new Python(t, SERVICE, path);
    assert.equal(await python.says(), 'listening');
    const between = scratchPath('between');
    const { trace, page } = await inspected(t, between, path, '--quiet');
    const shown = await openPage(t, browser, `http://127.0.0.1:${page.port}/#token=${page.token}`);
    const client = closing(t, await connect(between));
    return { shown, client, between, trace, page, python };
  }

  async function ask(client: SeqpacketSocket, text: string | Buffer): Promise<void> {
    await client.send(Buffer.from(text));
    await client.receiveMessage();
  }

  it('shows messages within 200 ms', async (t) => {
    const { shown, client } = await open(t);
    await ask(client, 'warming up');
    await shown.shows(['warming up', 'WARMING UP']);
    const delays: number[] = [];
    for (let number = 0; number < 15; number++) {
      const text = `LIVE ${number}!`;
      const seen = shown.page.evaluate(
        (text) =>
          new Promise<number>((resolve) => {
            const look = () => {
              if (document.getElementById('messages')?.textContent?.includes(text)) resolve(Date.now());
              else requestAnimationFrame(look);
            };
            look();
          }),
        text,
      );
      await new Promise((resolve) => setTimeout(resolve, 30));
      const start = Date.now();
      await ask(client, text);
      delays.push((await seen) - start);
    }
    delays.sort((one, other) => one - other);
    t.diagnostic(`milliseconds until messages are shown: ${delays.join(', ')}`);
    assert.ok(delays[7]! <= 200);
  });

  it('lists connections with their processes, traffic and state', async (t) => {
    const { shown, client, between, python } = await open(t);
    for (const text of ['one', 'two', 'three']) await ask(client, text);
    const other = await connect(between);
    await ask(other, 'other');
    other.close();
    await shown.says('.connection-pane .pane-head', 'Connections1 open of 2');
    const [second, first] = await shown.page.locator('#connections [role=option]').allTextContents();
    const user = userInfo().username;
    assert.match(first!, new RegExp(`^#1node .*pid ${process.pid}, ${user} → python3 .*(open|wait)`));
    assert.match(first!, /↑ 3 · 11 B ↓ 3 · 11 B|↑ 3 · 11 B↓ 3 · 11 B/);
    assert.match(second!, /^#2.*closed.*↑ 1 · 5 B/);
    assert.ok(
      (await shown.page.getAttribute('#connections [role=option]', 'title'))?.includes(
        `${python.process.pid}`,
      ),
    );

    await shown.page.click('#connections [role=option] >> nth=0');
    await shown.shows(['other', 'OTHER', 'end of file', 'end of file', 'closed']);
    await shown.page.click('#connections [role=option] >> nth=1');
    await shown.shows(['one', 'ONE', 'two', 'TWO', 'three', 'THREE']);
    await shown.page.click('text=Show all');
    await shown.says('.filter-state', '');
  });

  it('shows the contents of a message as text, JSON and in hexadecimal', async (t) => {
    const { shown, client } = await open(t);
    const value = { method: 'get', list: [1, { deep: true }], text: '<b>ö</b>' };
    await ask(client, JSON.stringify(value));
    await ask(client, Buffer.from([0, 1, 2, 255]));
    await shown.page.click('#messages .to-server >> nth=0');
    assert.equal(await shown.page.textContent('[role=tab][aria-selected=true]'), 'JSON');
    await shown.says('.json details[open] > summary >> nth=0', '{ 3 keys');
    await shown.says('.json', '{ 3 keysmethod: "get"list: [ 2 items0: 11: { 1 keydeep: truetext: "<b>ö</b>"');
    await shown.page.click('.json summary >> nth=0');
    await shown.says('.json', `${JSON.stringify(value)} 3 keys`);
    await shown.press('1');
    await shown.says('.text', JSON.stringify(value));
    await shown.press('3');
    await shown.says(
      '.hex-line >> nth=0',
      '00007b 22 6d 65 74 68 6f 64  22 3a 22 67 65 74 22 2c{"method":"get",',
    );
    await shown.page.click('#messages .to-client >> nth=1');
    await shown.says('.hex-line', `000000 01 02 ff${' '.repeat(37)}....`);
    assert.match((await shown.page.textContent('.facts'))!, /Size4 bytesAnswer after[\d.]+ .?s/);
    await shown.press('a');
    await shown.says('.detail h2', '↑ Message to server');
    await shown.says('[role=tab]:disabled', 'JSON');
  });

  it('shows descriptors and credentials', async (t) => {
    const { shown, client } = await open(t);
    const file = scratchPath('file');
    writeFileSync(file, 'twelve bytes');
    chmodSync(file, 0o640);
    const fd = openSync(file, 'r');
    await client.sendWithFds(Buffer.from('with'), [fd, fd]);
    closeSync(fd);
    await client.receiveMessage();
    await ask(client, 'without');
    await shown.shows(['2 fdswith', 'WITH', 'without', 'WITHOUT']);
    await shown.page.click('.descriptors-only');
    await shown.shows(['2 fdswith']);
    await shown.press('Home');
    await shown.says('.descriptors tbody tr >> nth=1', `1file${file}read-only64012 B`);
    const { pid } = process;
    const { uid, gid } = userInfo();
    assert.match(
      (await shown.page.textContent('.facts'))!,
      new RegExp(`Credentialspid ${pid}, uid ${uid}, gid ${gid}`),
    );
  });

  it('filters, searches, pauses and clears', async (t) => {
    const { shown, client } = await open(t);
    for (let number = 0; number < 10; number++)
      await ask(client, `message ${number} ${'x'.repeat(number * 100)}`);
    const filter = (text: string) => shown.page.fill('#filter', text);
    await filter('sage 3');
    await shown.shows(['message 3', 'MESSAGE 3']);
    await filter('/e [24] /');
    await shown.shows(['message 2', 'message 4']);
    await filter('/E [24] /i');
    await shown.page.click('[aria-label="To the client"]');
    await shown.shows(['MESSAGE 2', 'MESSAGE 4']);
    await filter('');
    await shown.page.fill('[aria-label="Smallest size"]', '0.7k');
    await shown.page.fill('[aria-label="Largest size"]', '900');
    await shown.shows(['MESSAGE 8']);
    await filter('/(/');
    await shown.page.waitForSelector('.filter-state.error >> text=Unterminated group');
    await filter('');
    await shown.page.click('text=Remove filter');

    await shown.press('f');
    await shown.page.keyboard.type('/message [37]/');
    await shown.says('.search-count', '2');
    await shown.press('Enter');
    await shown.says('.search-count', '1/2');
    await shown.press('Enter');
    await shown.selects('message 7');
    await shown.press('Enter');
    await shown.selects('message 3');
    await shown.press('Shift+Enter');
    await shown.selects('message 7');
    await shown.press('Escape', 'Escape', 'Escape');

    await shown.press('Space');
    await ask(client, 'during the pause');
    await shown.says('.notices', 'Paused: 2 newer rows not shown. Space resumes.');
    await shown.press('Space', 'End');
    await shown.selects('DURING THE PAUSE');
    await shown.page.click('text=Clear');
    await shown.says('.totals', '0 messages · 0 B');
    await ask(client, 'after');
    await shown.shows(['after', 'AFTER']);
  });

  it('sends a message again, and another one in its place', async (t) => {
    const { shown, client } = await open(t);
    await ask(client, 'hello');
    await shown.shows(['hello', 'HELLO']);
    await shown.press('Home', 'r');
    await shown.shows(['hello', 'HELLO', 'sent againhello', 'HELLO']);
    assert.equal(String((await client.receiveMessage()).data), 'HELLO');
    await shown.press('e');
    await shown.page.fill('.composer textarea', 'something <else>');
    await shown.page.click('.composer >> text=Send');
    await shown.shows([
      'hello',
      'HELLO',
      'sent againhello',
      'HELLO',
      'sent againsomething <else>',
      'SOMETHING <ELSE>',
    ]);
    assert.equal(String((await client.receiveMessage()).data), 'SOMETHING <ELSE>');
    await shown.press('e');
    await shown.page.selectOption('.composer select >> nth=1', 'to client');
    await shown.page.selectOption('.composer select >> nth=2', 'hex');
    await shown.page.fill('.composer textarea', '00 ff 4');
    await shown.page.keyboard.press('Control+Enter');
    await shown.says('.composer .error', 'the number of hexadecimal digits is odd');
    await shown.page.fill('.composer textarea', '00 ff 41');
    await shown.page.keyboard.press('Control+Enter');
    assert.deepEqual((await client.receiveMessage()).data, Buffer.from([0, 255, 0x41]));
    client.close();
    await shown.page.waitForSelector('.dot-closed');
    assert.ok(await shown.page.isDisabled('.detail >> text=Send again'));
  });

  it('exports what passes the filter, for tshark, and opens it', { skip: missing('tshark') }, async (t) => {
    const { shown, client } = await open(t);
    for (const text of ['first', 'second', '{"third":3}']) await ask(client, text);
    await shown.page.fill('#filter', '/s|3/');
    await shown.shows(['first', 'second', '{"third":3}', '{"THIRD":3}']);
    const [download] = await Promise.all([
      shown.page.waitForEvent('download'),
      shown.page.click('text=Export'),
    ]);
    assert.match(download.suggestedFilename(), /^seqpacket-.*\.pcapng$/);
    const file = scratchPath('export.pcapng');
    await download.saveAs(file);
    const { stdout } = spawnSync('tshark', ['-r', file, '-T', 'fields', '-e', 'data.data'], {
      encoding: 'utf8',
    });
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((hex) => Buffer.from(hex, 'hex').toString()),
      ['first', 'second', '{"third":3}', '{"THIRD":3}'],
    );

    await shown.drop('export.pcapng', readFileSync(file));
    await shown.page.waitForSelector('text=This is the recording export.pcapng.');
    await shown.shows(['first', 'second', '{"third":3}', '{"THIRD":3}']);
    assert.equal(await shown.page.textContent('.status'), 'recording');
    await shown.press('Home');
    assert.ok(await shown.page.isDisabled('.detail >> text=Send again'));
    await shown.page.click('text=Back to');
    await ask(client, 'is live');
    await shown.page.click('text=Remove filter');
    await shown.press('End');
    await shown.selects('IS LIVE');
    await shown.drop('notes.txt', Buffer.from('no recording'));
    await shown.page.waitForSelector('.toast.error >> text=notes.txt cannot be opened');
  });

  it('never takes contents or names for HTML', async (t) => {
    const { shown, client } = await open(t);
    const evil = '<script>document.title="taken"</script><img src=x onerror="document.title=1"><b>bold</b>';
    await ask(client, evil);
    await ask(client, JSON.stringify({ [evil]: evil }));
    await shown.page.waitForFunction(
      () => document.querySelectorAll('#messages .list-window [role=row]').length === 4,
    );
    for (const row of [0, 2]) {
      await shown.page.click(`#messages .list-window [role=row] >> nth=${row}`);
      for (const tab of ['1', '2', '3']) await shown.press(tab);
    }
    await shown.page.fill('#search', '<b>bold</b>');
    await shown.press('Enter');
    assert.equal(await shown.page.locator('img, b, #page script').count(), 0);
    assert.doesNotMatch(await shown.page.title(), /taken|^1/);
    await shown.drop(`${evil.replaceAll('/', '')}.pcapng`, Buffer.from('no'));
    await shown.page.waitForSelector('.toast.error');
    assert.equal(await shown.page.locator('img, b, #page script').count(), 0);
  });

  it('keeps what it has when the trace ends', async (t) => {
    const { shown, client, trace } = await open(t);
    await ask(client, 'kept');
    await shown.shows(['kept', 'KEPT']);
    await trace.interrupted('SIGKILL');
    await shown.page.waitForSelector('.notices >> text=The trace has ended');
    await shown.press('Home');
    await shown.says('.text', 'kept');
    await shown.page.click('text=Export');
    await shown.page.waitForSelector('.toast.error >> text=seqpacket does not answer');
  });

  it('without the token says where it is', async (t) => {
    const { page } = await open(t);
    const context = await browser.newContext();
    t.after(() => context.close());
    const without = await context.newPage();
    await without.goto(`http://127.0.0.1:${page.port}/`);
    await without.waitForSelector('text=lacks the token');
    assert.equal(await without.textContent('#messages .list-window'), '');
  });
});
