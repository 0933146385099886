# A client of echo.py: messages of several lengths, boundaries, order, the end of file after a half-close.
import os, socket, sys

client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect(sys.argv[1])
client.setsockopt(socket.SOL_SOCKET, 29, 1)  # SO_TIMESTAMP
longest = int(sys.argv[2])
try:
    client.setsockopt(socket.SOL_SOCKET, 32, longest + 65536)  # SO_SNDBUFFORCE
except PermissionError:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, longest + 65536)

messages = [b'', os.urandom(64), b'', os.urandom(200 * 1024), os.urandom(longest), b'last', b'']
for message in messages:
    assert client.send(message) == len(message)
client.shutdown(socket.SHUT_WR)
for expected in [*messages, b'bye']:
    data, ancillary, flags, _ = client.recvmsg(5_000_000, 64)
    assert ancillary, f'the end of file in place of {len(expected)} bytes'
    assert data == expected, (len(data), len(expected))
data, ancillary, _, _ = client.recvmsg(10, 64)
assert not data and not ancillary, 'not the end of file'
print('exchanged', sum(map(len, messages)))
