# Sends the lines of its input, and prints the messages that come.
import socket, sys, threading

client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect(sys.argv[1])


def show():
    while message := client.recv(10_000):
        print(message.decode(), flush=True)


shower = threading.Thread(target=show)
shower.start()
for line in sys.stdin:
    client.send(line.rstrip('\n').encode())
client.shutdown(socket.SHUT_WR)
shower.join()
