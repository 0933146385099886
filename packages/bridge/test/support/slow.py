# Reads nothing for a time, and then 2,000 numbered messages without a gap.
import socket, struct, sys, time

client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect(sys.argv[1])
time.sleep(float(sys.argv[2]))
for number in range(2000):
    message = client.recv(100_000)
    assert len(message) == 20_008, len(message)
    assert struct.unpack('>Q', message[:8])[0] == number
print('read', number + 1, flush=True)
