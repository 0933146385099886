# Sends one message, prints the answer (or how the connection ended), and closes the connection.
#   ask.py ADDRESS [BYTES]
import errno, socket, sys

client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    client.connect(sys.argv[1])
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    client.send(bytes(size))
    answer = client.recv(300_000)
    if not answer:
        print('EOF', flush=True)
        sys.exit(1)
    print(answer.decode(), flush=True)
    client.shutdown(socket.SHUT_WR)
    while client.recv(300_000):
        pass
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
    sys.exit(1)
