# A service: sends each message back, and after the end of file of a client sends "bye".
#   echo.py ADDRESS [NAME]  with a name, the first answer is the name
import socket, sys, threading

listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
listener.listen(64)
print('listening', flush=True)


# An empty message and the end of file differ in MSG_EOR, which Linux never sets: the timestamp tells them apart.
def receive(connection, room=5_000_000):
    data, ancillary, flags, _ = connection.recvmsg(room, 64)
    if not data and not ancillary:
        return None
    return data


def serve(connection):
    connection.setsockopt(socket.SOL_SOCKET, 29, 1)  # SO_TIMESTAMP
    try:
        connection.setsockopt(socket.SOL_SOCKET, 32, 4 << 20)  # SO_SNDBUFFORCE
    except PermissionError:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    try:
        if len(sys.argv) > 2:
            connection.send(sys.argv[2].encode())
        while (data := receive(connection)) is not None:
            connection.send(data)
        connection.send(b'bye')
    except OSError as error:
        print('error', error.errno, flush=True)
    print('closed', flush=True)
    connection.close()


while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
