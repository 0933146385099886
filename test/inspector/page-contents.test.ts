/** How the page shows contents: text, JSON, hexadecimal; sizes and times; positions of long lists; axes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromZero, logarithmic, shareOf, timeScale } from '../../cli/inspector/page/charts/scale.js';
import { programOf } from '../../cli/inspector/page/connections/ends.js';
import { formatHex, HexError, hexLine, parseHex } from '../../cli/inspector/page/contents/hex.js';
import { jsonOf, summaryOf } from '../../cli/inspector/page/contents/json.js';
import { markedPieces } from '../../cli/inspector/page/contents/marked-text.js';
import { previewOf } from '../../cli/inspector/page/contents/preview.js';
import { isText } from '../../cli/inspector/page/contents/text.js';
import { countOf, formatSize, parseSize, shortCount } from '../../cli/inspector/page/format/size.js';
import { formatDuration, roundDuration } from '../../cli/inspector/page/format/time.js';
import { ScrollPosition } from '../../cli/inspector/page/list/scroll-position.js';

describe('contents', () => {
  it('are text if they can be read', () => {
    assert.ok(isText(Buffer.from('Grüße\tan\nalle\r\n')));
    assert.ok(isText(Buffer.alloc(0)));
    assert.ok(!isText(Buffer.from([0x61, 0])));
    assert.ok(!isText(Buffer.from([0xff])));
    const cut = Buffer.from('ab€').subarray(0, -1);
    assert.ok(!isText(cut) && isText(cut, true));
  });

  it('have a preview of one line', () => {
    assert.equal(previewOf(Buffer.from('one\n  two\tthree')), 'one two three');
    assert.equal(previewOf(Buffer.from([0, 1, 255])), '00 01 ff');
    assert.match(previewOf(Buffer.alloc(1000)), /^(00 ){48}…$/);
    assert.equal(previewOf(Buffer.from(`${'x'.repeat(299)}€ and more`)).slice(0, 299), 'x'.repeat(299));
    assert.equal(previewOf(Buffer.alloc(0)), '');
  });

  it('are JSON if they are an object, an array, or lines of them', () => {
    assert.deepEqual(jsonOf(Buffer.from(' {"a": [1]}\n')), { a: [1] });
    assert.deepEqual(jsonOf(Buffer.from('{"a":1}\n{"b":2}\n')), [{ a: 1 }, { b: 2 }]);
    for (const text of ['', '12', '"text"', '{"a":', '[1] x', '{}\0'])
      assert.equal(jsonOf(Buffer.from(text)), undefined, text);
    assert.equal(summaryOf({ a: 1 }), '{"a":1}');
    assert.ok(summaryOf(Array.from({ length: 100 }, () => 1)).endsWith('…'));
  });

  it('are lines of hexadecimal digits, and back', () => {
    const data = Buffer.from(Array.from({ length: 20 }, (_, index) => 0x3c + index));
    assert.deepEqual(hexLine(data, 0, 16), {
      offset: '0000',
      hex: '3c 3d 3e 3f 40 41 42 43  44 45 46 47 48 49 4a 4b',
      ascii: '<=>?@ABCDEFGHIJK',
    });
    assert.equal(hexLine(data, 1, 16).hex.trimEnd(), '4c 4d 4e 4f');
    assert.equal(hexLine(Buffer.alloc(0x20000), 8191, 16).offset, '1fff0');
    assert.deepEqual(parseHex(formatHex(data)), new Uint8Array(data));
    assert.deepEqual(parseHex(''), new Uint8Array(0));
    assert.throws(() => parseHex('0g'), HexError);
    assert.throws(() => parseHex('abc'), HexError);
  });

  it('are divided at the places that were searched for', () => {
    assert.deepEqual(markedPieces('a.b A.B axb', 'a.b'), ['', 'a.b', ' ', 'A.B', ' axb']);
    assert.deepEqual(markedPieces('text', ''), ['text']);
    assert.equal(markedPieces('x'.repeat(10_000), 'x').length, 2001);
  });
});

describe('numbers', () => {
  it('of bytes are short, and are read', () => {
    assert.deepEqual([0, 1023, 1024, 150_000, 5e8].map(formatSize), [
      '0 B',
      '1023 B',
      '1.0 KiB',
      '146 KiB',
      '477 MiB',
    ]);
    assert.deepEqual(['100', '4k', '1.5 MiB', '2KB', 'x', '-1'].map(parseSize), [
      100,
      4096,
      1_572_864,
      2048,
      undefined,
      undefined,
    ]);
    assert.equal(countOf(1, 'message'), '1 message');
    assert.equal(countOf(1_234_567, 'message'), '1,234,567 messages');
    assert.deepEqual([999, 1000, 99_949, 99_950, 999_499, 999_500].map(shortCount), [
      '999',
      '1.0k',
      '99.9k',
      '100k',
      '999k',
      '1.0M',
    ]);
  });

  it('of time have three digits', () => {
    assert.deepEqual([0, 85, 999.4, 999.5, 1250, 12_400, 999_499, 1e6, 12.4e6, 124e6].map(formatDuration), [
      '0 µs',
      '85 µs',
      '999 µs',
      '1.00 ms',
      '1.25 ms',
      '12.4 ms',
      '999 ms',
      '1.00 s',
      '12.4 s',
      '124 s',
    ]);
    assert.deepEqual([100, 1000, 2500, 10_000, 1e6].map(roundDuration), [
      '100 µs',
      '1 ms',
      '2.5 ms',
      '10 ms',
      '1 s',
    ]);
  });
});

describe('a program', () => {
  it('is named without directories', () => {
    assert.equal(
      programOf('/usr/bin/python3 /opt/service.py --config /etc/x'),
      'python3 service.py --config',
    );
    assert.equal(programOf('<script>alert(1)</script>'), '<script>alert(1)</script>');
    assert.equal(programOf('./run'), 'run');
  });
});

describe('the position of a list', () => {
  it('is that of the element, if the list is short', () => {
    const position = new ScrollPosition();
    position.resize(10_000, 500);
    assert.equal(position.height, 10_000);
    position.scrolled(1234);
    assert.equal(position.top, 1234);
    position.reveal(0, 20);
    assert.equal(position.top, 0);
    position.reveal(990, 20);
    assert.equal(position.top, 510);
    position.reveal(600, 20);
    assert.equal(position.top, 510);
  });

  it('reaches every row of a list that is higher than elements can be', () => {
    const position = new ScrollPosition();
    const total = 2_000_000 * 22;
    position.resize(total, 500);
    assert.ok(position.height < 10_000_000);
    const max = position.height - 500;
    // Step by step, as with a wheel; the page puts the element right in between.
    let scrollTop = 0;
    let top = 0;
    for (let step = 0; step < 1000; step++) {
      scrollTop += 100;
      position.scrolled(scrollTop);
      top += 100;
      assert.equal(position.top, top);
      if (step % 10 === 0) {
        scrollTop = position.scrollTop;
        position.placed(scrollTop);
      }
    }
    // By the scroll bar.
    position.scrolled(max / 2);
    assert.ok(Math.abs(position.top - (total - 500) / 2) < 1);
    position.scrolled(max);
    assert.equal(position.top, total - 500);
    position.placed(position.scrollTop);
    position.scrolled(0);
    assert.equal(position.top, 0);
    position.goTo(total);
    assert.equal(position.top, position.maxTop);
    assert.ok(Math.abs(position.scrollTop - max) < 1);
  });

  it('stays within a list that became shorter', () => {
    const position = new ScrollPosition();
    position.resize(10_000, 500);
    position.goTo(9500);
    position.resize(300, 500);
    assert.equal(position.top, 0);
    assert.equal(position.height, 500);
  });
});

describe('an axis', () => {
  it('has lines at round values', () => {
    assert.deepEqual(fromZero(47, 3, 10).splits, [0, 20, 40, 60]);
    assert.deepEqual(fromZero(10_000, 3, 2).splits, [0, 4096, 8192, 12_288]);
    assert.deepEqual(logarithmic(120, 38_000).splits, [100, 1000, 10_000, 100_000]);
    assert.deepEqual(logarithmic(100, 100).splits, [100, 1000]);
    assert.deepEqual(timeScale(101, 161, 4).splits, [105, 120, 135, 150]);
    assert.deepEqual(timeScale(100, 100.5, 4).splits.length, 3);
    assert.equal(shareOf(logarithmic(100, 10_000), 1000), 0.5);
    assert.equal(shareOf(fromZero(47, 3, 10), 30), 0.5);
  });
});
