# Passes the writing end of a pipe, and prints how the connection ended; then whether the pipe has ended.
import array, errno, os, socket, sys

client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect(sys.argv[1])
reading, writing = os.pipe()
client.sendmsg([b'a pipe'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [writing]))])
os.close(writing)
try:
    print('EOF' if not client.recv(100) else 'an answer', flush=True)
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
print('closed everywhere' if os.read(reading, 1) == b'' else 'written', flush=True)
