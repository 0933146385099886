import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { FileDescriptor, SeqpacketSocket } from 'seqpacket';
import { isOpenDescriptor, openDescriptors } from './support/descriptors.js';

test('adopt takes a number over, close closes it', () => {
  const fd = openSync('/dev/null', 'r');
  const descriptor = FileDescriptor.adopt(fd);
  assert.equal(descriptor.fd, fd);
  assert.equal(String(descriptor), `/dev/fd/${fd}`);
  descriptor.close();
  assert.equal(descriptor.fd, -1);
  assert.equal(isOpenDescriptor(fd), false);
});

test('closing twice never closes a number that was reused', () => {
  const descriptor = FileDescriptor.adopt(openSync('/dev/null', 'r'));
  const { fd } = descriptor;
  descriptor.close();
  const reused = openSync('/dev/null', 'r');
  assert.equal(reused, fd);
  descriptor.close();
  descriptor[Symbol.dispose]();
  assert.equal(isOpenDescriptor(reused), true);
  closeSync(reused);
});

test('detach gives the number up without closing it', () => {
  const descriptor = FileDescriptor.adopt(openSync('/dev/null', 'r'));
  const { fd } = descriptor;
  assert.equal(descriptor.detach(), fd);
  assert.equal(descriptor.fd, -1);
  assert.equal(descriptor.detach(), -1);
  descriptor.close();
  assert.equal(isOpenDescriptor(fd), true);
  closeSync(fd);
});

test('dup makes another descriptor of the same file, with an owner of its own', () => {
  using first = FileDescriptor.adopt(openSync('/dev/null', 'r'));
  const second = first.dup();
  assert.notEqual(second.fd, first.fd);
  assert.equal(fstatSync(second.fd).rdev, fstatSync(first.fd).rdev);
  second.close();
  assert.equal(isOpenDescriptor(first.fd), true);
});

test('FileDescriptor.dup leaves somebody else’s descriptor theirs', () => {
  const [a, b] = SeqpacketSocket.pair();
  for (const source of [0, { fd: 0 }, a]) {
    const duplicate = FileDescriptor.dup(source);
    assert.ok(duplicate.fd > 2);
    duplicate.close();
  }
  assert.equal(a.isOpen, true);
  assert.equal(isOpenDescriptor(0), true);
  a.close();
  b.close();
});

test('using closes', () => {
  const before = openDescriptors().size;
  {
    using _descriptor = FileDescriptor.adopt(openSync('/dev/null', 'r'));
    assert.equal(openDescriptors().size, before + 1);
  }
  assert.equal(openDescriptors().size, before);
});

test('what is closed cannot be duplicated', () => {
  const descriptor = FileDescriptor.dup(0);
  descriptor.close();
  assert.throws(() => descriptor.dup(), { code: 'EBADF' });
});
