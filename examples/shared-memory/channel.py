"""
Messages through shared memory: the format of docs/shared-memory.md, version 1, for Linux on x86, Python 3.9 or later.

    channel = Channel(connected_seqpacket_socket, capacity=1 << 20)
    channel.send(b'hello', [sys.stdin.fileno()])
    data, fds = channel.receive()  # (None, []) at the end of file
    channel.close()

Calls block. ProtocolError: the peer has violated the format, which ends the channel. BrokenPipeError: it is gone. One
thread at a time may use a channel.
"""
import array, errno, fcntl, mmap, os, platform, select, socket, threading

HEADER, MAX_FDS, MODULUS = 4096, 253, 1 << 32
CAPACITIES = {1 << exponent for exponent in range(12, 31)}
TAIL, HEAD, CONSUMER_SLEEPS, PRODUCER_SLEEPS = 0, 32, 64, 96  # words of 4 bytes
MESSAGE, MESSAGE_WITH_FDS, PADDING = 1, 2, 3
WAKE_UP, DESCRIPTORS, END = b'\1', b'\2', b'\3'
HELLO = b'SQPKTSHM' + (1).to_bytes(4, 'little')  # The capacity follows.
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
WRONG_SEALS = fcntl.F_SEAL_WRITE | 0x10  # F_SEAL_FUTURE_WRITE

if platform.machine() not in ('x86_64', 'i686'):
    raise ImportError('channel.py relies on the memory order of x86: see Region.store')


class ProtocolError(OSError):
    def __init__(self, detail):
        super().__init__(errno.EPROTO, f'The peer has violated the format: {detail}')


class Region:
    """A mapped region, with the index that this end writes, and the last valid value of the other one."""

    def __init__(self, fd, capacity):
        self.capacity, self.own, self.other = capacity, 0, 0
        self.memory = mmap.mmap(fd, HEADER + capacity)
        self.words = memoryview(self.memory).cast('I')  # Each access to an element is one of 4 bytes.
        self.ring = memoryview(self.memory)[HEADER:]
        self.lock = threading.Lock()

    def store(self, word, value):
        """Writes a word before any later load reads memory ("Waiting"). x86 keeps all other orders. Python has no atomic
        operation, but CPython takes a lock by one (`lock cmpxchg`): all earlier stores and no later loads come before."""
        self.words[word] = value
        with self.lock:
            pass

    def close(self):
        self.words.release()
        self.ring.release()
        self.memory.close()


def close_all(fds):
    for fd in fds:
        os.close(fd)


def open_region(fd, capacity):
    """Maps the region of the peer, if it is as the page requires ("The region")."""
    try:
        seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    except OSError:
        raise ProtocolError('not a file in memory') from None
    mode, size = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE, os.fstat(fd).st_size
    if seals & (SEALS | WRONG_SEALS) != SEALS or mode != os.O_RDWR or capacity not in CAPACITIES or size != HEADER + capacity:
        raise ProtocolError(f'a region with the seals {seals}, the mode {mode}, {size} bytes and the capacity {capacity}')
    return Region(fd, capacity)


class Channel:
    def __init__(self, connection, capacity=1 << 20):
        """Takes ownership of a connected AF_UNIX + SOCK_SEQPACKET socket, also if it fails ("Hand-shake")."""
        self.socket = connection
        self.incoming = self.outgoing = self.failure = None
        self.ended = self.gone = self.shut = False  # The peer sends no more; cannot be reached; this end sends no more.
        self.sets, self.sent = [], []  # received descriptors; sent ones: the ends of their records, their numbers
        fds = []
        try:
            if capacity not in CAPACITIES:
                raise ValueError(f'the capacity {capacity} is not a power of two from 4,096 to 2^30')
            connection.setblocking(True)
            fd = os.memfd_create('channel', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            fds.append(fd)
            os.ftruncate(fd, HEADER + capacity)
            os.posix_fallocate(fd, 0, HEADER + capacity)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
            self.outgoing = Region(fd, capacity)
            self._send_message(HELLO + capacity.to_bytes(4, 'little'), [fd])
            hello, received, _ = self._receive_message(0)
            fds += received
            if len(hello) != 16 or not hello.startswith(HELLO) or not received:
                raise ProtocolError(f'not a hand-shake of version 1: {hello}')
            self.incoming = open_region(received[0], int.from_bytes(hello[12:], 'little'))
        except BaseException:
            self.close()
            raise
        finally:
            close_all(fds)

    def close(self):
        if self.incoming is not None:
            self.incoming.store(CONSUMER_SLEEPS, 1)  # "End of file on the socket"
            self.incoming.close()
        if self.outgoing is not None:
            self.outgoing.close()
        close_all(fd for fds in self.sets for fd in fds)
        self.incoming, self.outgoing, self.sets = None, None, []
        self.socket.close()

    def send(self, data, fds=()):
        """Sends one message, with at most 253 descriptors, which remain open."""
        out, data = self.outgoing, memoryview(data).cast('B')
        if len(data) > out.capacity // 2 - 8 or len(fds) > MAX_FDS:
            raise OSError(errno.EMSGSIZE, f'{len(data)} bytes and {len(fds)} descriptors')
        at, needed = out.own % out.capacity, (len(data) + 15) & ~7
        padding = out.capacity - at if needed > out.capacity - at else 0
        while not self._has_room(padding + needed, len(fds)):
            out.store(PRODUCER_SLEEPS, 1)
            if not self._has_room(padding + needed, len(fds)):
                self._receive_control(0)
            out.store(PRODUCER_SLEEPS, 0)
        if fds:
            self._send_message(DESCRIPTORS, fds)
            self.sent.append((out.own + padding + needed, len(fds)))
        word = (HEADER + at) // 4
        if padding:
            out.words[word], out.words[word + 1] = padding - 8, PADDING
            at, word = 0, HEADER // 4
        out.words[word], out.words[word + 1] = len(data), MESSAGE_WITH_FDS if fds else MESSAGE
        out.ring[at + 8 : at + 8 + len(data)] = data
        out.own = (out.own + padding + needed) % MODULUS
        out.store(TAIL, out.own)
        self._wake(out, CONSUMER_SLEEPS)

    def end(self):
        """Ends sending. The peer receives what was sent before, and then the end of file."""
        self.shut = True
        self._send_message(END)

    def receive(self):
        """Returns a message and its descriptors, which the caller closes; (None, []) at the end of file."""
        ring = self.incoming
        while True:
            ended = self.ended  # Before the tail is read, which is then the last one.
            self._read_index(ring, TAIL, ring.own + ring.capacity - ring.other)
            at, available = ring.own % ring.capacity, (ring.other - ring.own) % MODULUS
            if available == 0:
                if ended:
                    return None, []
                ring.store(CONSUMER_SLEEPS, 1)
                if ring.words[TAIL] == ring.own:
                    self._receive_control(0)
                ring.store(CONSUMER_SLEEPS, 0)
                continue
            to_end, word = ring.capacity - at, (HEADER + at) // 4
            length, kind = ring.words[word], ring.words[word + 1]
            if kind == PADDING and at > 0 and length == to_end - 8 and to_end <= available:
                ring.own = (ring.own + to_end) % MODULUS
                continue
            size = (length + 15) & ~7
            if kind not in (MESSAGE, MESSAGE_WITH_FDS) or length > ring.capacity // 2 - 8 or size > min(available, to_end):
                raise self._violation(f'a record of kind {kind} with {length} bytes')
            data = bytes(ring.ring[at + 8 : at + 8 + length])
            while kind == MESSAGE_WITH_FDS and not self.sets:  # They were sent before the record.
                if not self._receive_control(socket.MSG_DONTWAIT):
                    raise self._violation('no descriptors')
            fds = self.sets.pop(0) if kind == MESSAGE_WITH_FDS else []
            ring.own = (ring.own + size) % MODULUS
            ring.store(HEAD, ring.own)
            if available - size <= ring.capacity // 2:
                self._wake(ring, PRODUCER_SLEEPS)
            return data, fds

    def _has_room(self, needed, fds):
        out = self.outgoing
        self._read_index(out, HEAD, out.own - out.other)
        if self.gone or self.shut:
            raise BrokenPipeError(errno.EPIPE, 'The peer is gone, or sending was ended')
        unread = (out.own - out.other) % MODULUS
        self.sent = [(end, count) for end, count in self.sent if (out.own - end) % MODULUS < unread]
        return out.capacity - unread >= needed and (not fds or sum(count for _, count in self.sent) + fds <= MAX_FDS)

    def _read_index(self, region, word, limit):
        """Reads the other end's index once. It must be between its last value and `limit` bytes after it."""
        index = region.words[word]
        if self.failure is not None or (index - region.other) % MODULUS > limit % MODULUS or index % 8 != 0:
            raise self._violation(f'the index {index}')
        region.other = index

    def _violation(self, detail):
        self.failure = self.failure or ProtocolError(detail)
        self.socket.shutdown(socket.SHUT_RDWR)
        return self.failure

    def _wake(self, region, word):
        if region.words[word] == 1:
            region.store(word, 0)  # Not an exchange: a 1 that the peer writes in between is lost, but it gets a wake-up.
            try:
                self.socket.send(WAKE_UP, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                pass  # The peer has messages to receive, and needs no wake-up.
            except (BrokenPipeError, ConnectionResetError):
                self.gone = True

    def _send_message(self, message, fds=()):
        """Sends a message of the socket. Receives those of the peer if there is no room: the peer may wait for that."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
        poll = select.poll()
        poll.register(self.socket)
        while True:
            try:
                return self.socket.sendmsg([message], rights, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except ConnectionResetError:
                continue  # The next error is BrokenPipeError.
            except BlockingIOError:
                if poll.poll()[0][1] & select.POLLIN:
                    self._receive_control(socket.MSG_DONTWAIT)

    def _receive_control(self, flags):
        """Steps 3 and 4 of "Waiting", for both sides. Returns False at the end of file, or without a message (MSG_DONTWAIT)."""
        if flags == 0:
            self._wake(self.incoming, PRODUCER_SLEEPS)
        try:
            data, fds, truncated = self._receive_message(flags)
        except BlockingIOError:
            return False
        if data == DESCRIPTORS and (fds or truncated):
            self.sets.append(fds)
            if sum(max(1, len(each)) for each in self.sets) > MAX_FDS:
                raise self._violation(f'more than {MAX_FDS} descriptors')
            return True
        close_all(fds)
        if fds or data not in (WAKE_UP, END, b''):
            raise self._violation(f'the message {data} with {len(fds)} descriptors')
        self.ended, self.gone = self.ended or data != WAKE_UP, self.gone or not data
        return bool(data)

    def _receive_message(self, flags):
        """Returns a message, its descriptors, and whether some of them could not be opened."""
        flags |= socket.MSG_CMSG_CLOEXEC
        while True:
            try:
                data, control, result, _ = self.socket.recvmsg(17, socket.CMSG_SPACE(4 * MAX_FDS), flags)
                rights = (each for *kind, each in control if kind == [socket.SOL_SOCKET, socket.SCM_RIGHTS])
                return data, [fd for each in rights for fd in memoryview(each).cast('i')], bool(result & socket.MSG_CTRUNC)
            except ConnectionResetError:
                continue  # The peer was closed with unread messages. Those that it has sent before come next.
