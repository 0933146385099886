# A service that sends numbered messages of 20,000 bytes without end to each client.
import socket, struct, sys, threading

listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
listener.listen(64)
print('listening', flush=True)


def pour(connection):
    number = 0
    try:
        while True:
            connection.send(struct.pack('>Q', number) + bytes(20_000))
            number += 1
    except OSError:
        pass


while True:
    threading.Thread(target=pour, args=(listener.accept()[0],), daemon=True).start()
