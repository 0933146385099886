/** The credit of many sessions: bounded together, and never used up for good. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

type Credit = typeof import('../src/credit.js');
const file = new URL('../../packages/bridge/dist/credit.js', import.meta.url);
const { CreditPool, costOf, longestPiece, ReceivingCredit, SendingCredit, smallestWindow }: Credit =
  await import(file.href);

const MiB = 1024 * 1024;
const ALL = 24 * MiB;
const LEAST = 8 * 1024;

/** Both sides of one session, with the pieces that are on the way. */
class Direction {
  readonly sender: InstanceType<Credit['SendingCredit']>;
  readonly receiver: InstanceType<Credit['ReceivingCredit']>;
  readonly piece: number;
  readonly onTheWay: number[] = [];

  constructor(pool: InstanceType<Credit['CreditPool']>) {
    const window = pool.takeFirst();
    this.piece = Math.min(256 * 1024, longestPiece(window));
    assert.ok(window >= smallestWindow(this.piece));
    this.sender = new SendingCredit(window, this.piece);
    this.receiver = new ReceivingCredit(pool, window, this.piece);
  }

  /** Sends as much as the credit allows, in pieces of this length. */
  fill(length = this.piece): number {
    let cost = 0;
    while (this.sender.isAvailable) {
      this.sender.use(length);
      this.receiver.arrive(length);
      this.onTheWay.push(length);
      cost += costOf(length);
    }
    return cost;
  }

  deliver(count = this.onTheWay.length): number {
    let sum = 0;
    for (const length of this.onTheWay.splice(0, count)) {
      sum += costOf(length);
      const limit = this.receiver.finish(costOf(length));
      if (limit !== undefined) this.sender.raise(limit);
    }
    return sum;
  }
}

test('one session gets the largest window', () => {
  const direction = new Direction(new CreditPool());
  for (let round = 0; round < 10; round++) {
    direction.fill();
    direction.deliver();
  }
  const most = direction.fill(0);
  assert.ok(most > 2.5 * MiB && most <= 4 * MiB, String(most));
});

for (const count of [1, 3, 30, 300, 3000]) {
  test(`${count} sessions: bounded together, and each one goes on`, () => {
    const pool = new CreditPool();
    const directions = Array.from({ length: count }, () => new Direction(pool));
    let seed = count;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    let onTheWay = 0;
    let most = 0;
    for (let step = 0; step < 20_000; step++) {
      const direction = directions[random(count)] as Direction;
      onTheWay += direction.fill(1 + random(direction.piece));
      most = Math.max(most, onTheWay);
      onTheWay -= direction.deliver(random(2 * direction.onTheWay.length));
    }
    for (const direction of directions) onTheWay += direction.fill();
    most = Math.max(most, onTheWay);
    assert.ok(most <= ALL + count * LEAST, `${most} bytes`);
    for (const direction of directions) {
      for (let round = 0; round < 5; round++) {
        direction.deliver();
        assert.ok(direction.sender.isAvailable);
        direction.fill();
      }
    }
    // All is given back.
    for (const { receiver } of directions) receiver.close();
    assert.equal(pool.takeFirst(), new CreditPool().takeFirst());
  });
}
