"""Python's own socket module, which knows SEQPACKET; blocking. The roles are those of role.mjs."""

import json
import os
import resource
import socket
import sys
import time

ROLE, PATH, SIZE, WARM_UP, MEASURE = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
WARMING, MEASURED, LAST = range(3)


def report(**values):
    print(json.dumps(values), flush=True)


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Pace:
    """The sending side: which message comes next, by the clock."""

    def __init__(self):
        self.began = 0
        self.cpu_seconds = 0
        self.count = 0

    def messages(self):
        check_every = 64 if SIZE < 16384 else 4
        for phase, milliseconds in (WARMING, WARM_UP), (MEASURED, MEASURE):
            message = bytes([phase]) * SIZE
            self.began = time.monotonic()
            self.cpu_seconds = cpu_seconds()
            self.count = 0
            while time.monotonic() - self.began < milliseconds / 1000:
                for _ in range(check_every):
                    yield message
                self.count += check_every
        self.count += 1
        yield bytes([LAST]) * SIZE

    def report_measured(self):
        seconds = time.monotonic() - self.began
        report(messages=self.count, seconds=seconds, cpuSeconds=cpu_seconds() - self.cpu_seconds)

    def report_used(self):
        report(cpuSeconds=cpu_seconds() - self.cpu_seconds)


class Meter:
    """The receiving side."""

    def __init__(self):
        self.phase = WARMING
        self.count = 0

    def saw(self, phase):
        self.count += 1
        if phase == self.phase:
            return True
        self.phase = phase
        if phase == LAST:
            self.seconds = time.monotonic() - self.began
            return False
        self.began = time.monotonic()
        self.cpu_seconds = cpu_seconds()
        self.count = 0
        return True

    def report(self):
        report(messages=self.count, seconds=self.seconds, cpuSeconds=cpu_seconds() - self.cpu_seconds)


def seqpacket():
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def accept_one():
    listener = seqpacket()
    listener.bind(PATH)
    listener.listen()
    report(ready=True)
    return listener.accept()[0]


def connected():
    sock = seqpacket()
    sock.connect(PATH)
    return sock


def echo():
    sock, buffer, meter = accept_one(), bytearray(SIZE), Meter()
    more = True
    while more:
        sock.recv_into(buffer)
        more = meter.saw(buffer[0])
        sock.send(buffer)
    meter.report()


def ping():
    sock, buffer, pace = connected(), bytearray(SIZE), Pace()
    for message in pace.messages():
        sock.send(message)
        sock.recv_into(buffer)
    pace.report_measured()


def sink():
    sock, buffer, meter = accept_one(), bytearray(SIZE), Meter()
    sock.recv_into(buffer)
    while meter.saw(buffer[0]):
        sock.recv_into(buffer)
    meter.report()


def flood():
    sock, pace = connected(), Pace()
    for message in pace.messages():
        sock.send(message)
    pace.report_used()


def sink_descriptors():
    sock, meter = accept_one(), Meter()
    more = True
    while more:
        data, fds, _, _ = socket.recv_fds(sock, SIZE, 1)
        os.close(fds[0])
        more = meter.saw(data[0])
    meter.report()


def flood_descriptors():
    sock, pace = connected(), Pace()
    passed = [os.open("/dev/null", os.O_RDONLY)]
    for message in pace.messages():
        socket.send_fds(sock, [message], passed)
    pace.report_used()


globals()[ROLE.replace("-", "_")]()
