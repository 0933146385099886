"""
Messages through shared memory: the format of docs/shared-memory.md, version 1, for Linux and Python 3.9.

    channel = Channel(connected_seqpacket_socket, capacity=1 << 20)
    channel.send(b'hello', [sys.stdin.fileno()])
    data, fds = channel.receive()  # (None, []) at the end of file
    channel.close()

Calls block. ProtocolError: the peer has violated the format. BrokenPipeError: it is gone.
"""
import fcntl, mmap, os, select, socket, threading

HEADER = 4096
TAIL, HEAD, CONSUMER_SLEEPS, PRODUCER_SLEEPS = 0, 32, 64, 96  # words of 4 bytes
MESSAGE, MESSAGE_WITH_FDS, PADDING = 1, 2, 3
WAKE_UP, DESCRIPTORS, END = 1, 2, 3
MAX_FDS = 253
F_ADD_SEALS, F_GET_SEALS = 1033, 1034
SEALS, UNWANTED_SEALS = 1 | 2 | 4, 8 | 16  # F_SEAL_SEAL, SHRINK, GROW; WRITE, FUTURE_WRITE
MODULUS = 1 << 32


class ProtocolError(Exception):
    """The peer has violated the format."""


class Region:
    """A mapped region, with the index that this end writes, and the last valid value of the other one."""
    def __init__(self, fd, capacity):
        self.capacity = capacity
        self.memory = mmap.mmap(fd, HEADER + capacity)
        self.words = memoryview(self.memory).cast('I')  # Each access is one of 4 bytes.
        self.bytes = memoryview(self.memory)[HEADER:]
        self.own = self.other = 0
        self._lock = threading.Lock()

    def store(self, word, value):
        """
        Stores a word before anything that is loaded later. Python has no atomic operations, but taking a lock is one:
        with a full barrier on x86. Elsewhere, a wake-up could be missed, so that no sleep is longer than 0.1 s.
        """
        self.words[word] = value
        with self._lock:
            pass

    def read_other(self, word, limit):
        """Reads the index of the other end once, and checks it."""
        index = self.words[word]
        if (index - self.other) % MODULUS > limit % MODULUS or index % 8 != 0:
            raise ProtocolError(f'an impossible index: {index}')
        self.other = index

    def write_header(self, at, length, kind):
        self.words[(HEADER + at) // 4], self.words[(HEADER + at) // 4 + 1] = length, kind

    def take_sleeps(self, word):
        sleeps = self.words[word] == 1
        if sleeps:
            self.store(word, 0)
        return sleeps

    def close(self):
        for each in self.words, self.bytes:
            each.release()
        self.memory.close()


def record_bytes(length):
    return (length + 15) & ~7


def close_all(fds):
    for fd in fds:
        os.close(fd)

def create_region(fd, capacity):
    os.ftruncate(fd, HEADER + capacity)
    os.posix_fallocate(fd, 0, HEADER + capacity)
    fcntl.fcntl(fd, F_ADD_SEALS, SEALS)
    return Region(fd, capacity)

def open_region(fd, capacity):
    seals = fcntl.fcntl(fd, F_GET_SEALS)  # OSError: not a file in memory
    if capacity & (capacity - 1) or not 4096 <= capacity <= 1 << 30:
        raise ProtocolError(f'a capacity of {capacity}')
    if seals & SEALS != SEALS or seals & UNWANTED_SEALS:
        raise ProtocolError(f'the seals {seals}')
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDWR or os.fstat(fd).st_size != HEADER + capacity:
        raise ProtocolError('not open for reading and writing, or a wrong size')
    return Region(fd, capacity)


class Channel:
    def __init__(self, connection, capacity=1 << 20):
        """Takes ownership of a connected AF_UNIX + SOCK_SEQPACKET socket."""
        self.socket = connection
        self.incoming = self.outgoing = None
        self.ended = self.gone = self.shut = False
        self.sets, self.sent = [], []  # received descriptors; sent ones: the ends of their records, their numbers
        try:
            fd = os.memfd_create('channel', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            try:
                self.outgoing = create_region(fd, capacity)
                hello = b'SQPKTSHM' + (1).to_bytes(4, 'little') + capacity.to_bytes(4, 'little')
                socket.send_fds(self.socket, [hello], [fd])
            finally:
                os.close(fd)
            hello, fds = self._receive_message(16)
            try:
                if len(hello) != 16 or hello[:8] != b'SQPKTSHM' or hello[8:12] != b'\1\0\0\0' or len(fds) != 1:
                    raise ProtocolError(f'not a hand-shake of version 1: {hello}')
                self.incoming = open_region(fds[0], int.from_bytes(hello[12:], 'little'))
            finally:
                close_all(fds)
        except BaseException:
            self.close()
            raise

    def close(self):
        close_all(fd for fds in self.sets for fd in fds)
        self.sets = []
        if self.incoming is not None:
            self.incoming.store(CONSUMER_SLEEPS, 1)
        for region in self.incoming, self.outgoing:
            if region is not None:
                region.close()
        self.incoming = self.outgoing = None
        self.socket.close()

    def send(self, data, fds=()):
        out = self.outgoing
        if len(data) > out.capacity // 2 - 8 or len(fds) > MAX_FDS:
            raise ValueError(f'{len(data)} bytes and {len(fds)} descriptors')
        at = out.own & (out.capacity - 1)
        needed = record_bytes(len(data))
        padding = out.capacity - at if needed > out.capacity - at else 0
        while not self._has_room(needed + padding, len(fds)):
            self._require_peer()
            out.store(PRODUCER_SLEEPS, 1)
            self._has_room(needed + padding, len(fds)) or self._sleep()
            out.words[PRODUCER_SLEEPS] = 0
        self._require_peer()
        if fds:
            socket.send_fds(self.socket, [bytes([DESCRIPTORS])], fds)
        if padding:
            out.write_header(at, padding - 8, PADDING)
            at = 0
        out.write_header(at, len(data), MESSAGE_WITH_FDS if fds else MESSAGE)
        out.bytes[at + 8 : at + 8 + len(data)] = data
        out.own = (out.own + padding + needed) % MODULUS
        if fds:
            self.sent.append((out.own, len(fds)))
        out.store(TAIL, out.own)
        if out.take_sleeps(CONSUMER_SLEEPS):
            self._wake()

    def end(self):
        """Ends sending. The peer receives what was sent before, and then the end of file."""
        self.shut = True
        self.socket.send(bytes([END]))

    def receive(self):
        """Returns a message and its descriptors, which the caller closes; (None, []) at the end of file."""
        while True:
            ended = self.ended
            record = self._next_record()
            if record is not None:
                return record
            if ended:
                return None, []
            self.incoming.store(CONSUMER_SLEEPS, 1)
            if self.incoming.words[TAIL] == self.incoming.own:
                if self.incoming.take_sleeps(PRODUCER_SLEEPS):
                    self._wake()
                self._sleep()
            self.incoming.words[CONSUMER_SLEEPS] = 0

    def _next_record(self):
        ring = self.incoming
        ring.read_other(TAIL, ring.own + ring.capacity - ring.other)
        available = (ring.other - ring.own) % MODULUS
        if available == 0:
            return None
        at = ring.own & (ring.capacity - 1)
        length, kind = ring.words[(HEADER + at) // 4], ring.words[(HEADER + at) // 4 + 1]
        to_end = ring.capacity - at
        if kind == PADDING and at > 0 and length == to_end - 8 and to_end <= available:
            ring.own = (ring.own + to_end) % MODULUS
            return self._next_record()
        needed = record_bytes(length)
        if kind not in (MESSAGE, MESSAGE_WITH_FDS) or length > ring.capacity // 2 - 8 or needed > min(available, to_end):
            raise ProtocolError(f'a record of kind {kind} with {length} bytes')
        data = bytes(ring.bytes[at + 8 : at + 8 + length])
        fds = self._take_fds() if kind == MESSAGE_WITH_FDS else []
        ring.own = (ring.own + needed) % MODULUS
        ring.store(HEAD, ring.own)
        if available - needed <= ring.capacity // 2 and ring.take_sleeps(PRODUCER_SLEEPS):
            self._wake()
        return data, fds

    def _take_fds(self):
        while not self.sets:  # They were sent before the record was.
            if not self._sleep(0):
                raise ProtocolError('no descriptors')
        return self.sets.pop(0)

    def _has_room(self, needed, fds):
        out = self.outgoing
        out.read_other(HEAD, out.own - out.other)
        unread = (out.own - out.other) % MODULUS
        self.sent = [(end, count) for end, count in self.sent if (out.own - end) % MODULUS < unread]
        on_their_way = sum(count for _, count in self.sent)
        return out.capacity - unread >= needed and (not fds or on_their_way + fds <= MAX_FDS)

    def _require_peer(self):
        if self.gone or self.shut:
            raise BrokenPipeError('the peer is gone, or sending was ended')

    def _wake(self):
        try:
            self.socket.send(bytes([WAKE_UP]), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            pass  # The peer has messages to receive, and needs no wake-up.
        except OSError:
            self.gone = True

    def _sleep(self, seconds=0.1):
        """Waits for a message of the socket, and receives it. Returns whether there was one."""
        if self.gone or not select.select([self.socket], [], [], seconds)[0]:
            return False
        data, fds = self._receive_message(2)
        if data == bytes([DESCRIPTORS]) and sum(map(len, self.sets)) + len(fds) <= MAX_FDS:
            self.sets.append(fds)
            return True
        close_all(fds)
        if data == b'':
            self.ended = self.gone = True
        elif data == bytes([END]) and not fds:
            self.ended = True
        elif data != bytes([WAKE_UP]) or fds:
            raise ProtocolError(f'the message {data} with {len(fds)} descriptors')
        return True

    def _receive_message(self, size):
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.socket, size + 1, MAX_FDS, socket.MSG_CMSG_CLOEXEC)
                return data, fds
            except ConnectionResetError:
                continue  # The peer has closed its end with unread messages. Its own come next.
