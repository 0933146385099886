# Sends and receives messages with numbers and checksums, in both directions at once.
#   flood.py serve|join ADDRESS COUNT
import socket, struct, sys, threading, zlib

role, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if role == 'serve':
    end.bind(address)
    end.listen()
    print('listening', flush=True)
    end, _ = end.accept()
else:
    end.connect(address)

filling = bytes(range(256)) * 4


def send():
    for number in range(count):
        body = struct.pack('>Q', number) + filling[: (number * 7) % 1000]
        end.send(struct.pack('>I', zlib.crc32(body)) + body)
    end.shutdown(socket.SHUT_WR)


sender = threading.Thread(target=send)
sender.start()
for number in range(count):
    message = end.recv(2000)
    assert len(message) == 12 + (number * 7) % 1000, (number, len(message))
    assert struct.unpack('>I', message[:4])[0] == zlib.crc32(message[4:]), number
    assert struct.unpack('>Q', message[4:12])[0] == number, number
assert end.recv(2000) == b''
sender.join()
print('received', count, flush=True)
