"""A program for examples/shared-memory/channel.py, with the arguments of peer.c."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../../../examples/shared-memory'))
from channel import Channel


COUNTING = bytes(byte % 251 for byte in range(251 + 4000))


def make(state, longest):
    """The next state of the generator (xorshift32, twice), and the next message."""

    def next_random(state):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        return state ^ (state << 5 & 0xFFFFFFFF)

    state = next_random(state)
    length = state % (longest + 1)
    state = next_random(state)
    return state, COUNTING[state % 251 : state % 251 + length]


role, capacity, count, seed = (sys.argv[1:] + ['0', '1'])[:4]
channel = Channel(socket.socket(fileno=3), int(capacity))
state = int(seed)
if role == 'echo':
    while True:
        data, fds = channel.receive()
        if data is None:
            break
        channel.send(data, fds)
        for fd in fds:
            os.close(fd)
    channel.end()
elif role == 'produce':
    for _ in range(int(count)):
        state, data = make(state, min(4000, channel.outgoing.capacity // 2 - 8))
        channel.send(data)
    channel.end()
elif role == 'consume':
    for index in range(int(count)):
        state, expected = make(state, min(4000, channel.incoming.capacity // 2 - 8))
        data, _ = channel.receive()
        if data != expected:
            sys.exit(f'message {index}: {data} instead of {expected}')
else:
    sys.exit(2)
# Until the other end has received everything.
assert channel.receive() == (None, [])
channel.close()
