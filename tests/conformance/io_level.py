"""The level of I/O: what socket pairs add to tasks.py. See io.c."""
import errno
import fcntl
import os
import selectors
import socket
from asyncio import selector_events

import departures
from machine import NotHere
from tasks import VirtualTime

PAIRS, FIRST_FD, LARGE = 2, 100, 400000
DATA = bytes(i & 255 for i in range(LARGE + 256))
DIRECTIONS = (selectors.EVENT_READ, selectors.EVENT_WRITE)


class IoLoop(VirtualTime, selector_events.BaseSelectorEventLoop):
    def __init__(self, w):
        selector_events.BaseSelectorEventLoop.__init__(self, selectors.SelectSelector())
        self.prepare(w)

    def _process_events(self, event_list):
        """In the order of the descriptors; see departures.ready()."""
        for key, mask in sorted(event_list, key=lambda event: event[0].fd):
            for direction in (0, 1):
                if mask & DIRECTIONS[direction]:
                    departures.ready(self, key, direction)


class Io:
    def __init__(self, w, program):
        self.w = w
        w.inexact = True
        self.sends = 0
        self.socks = []
        for _ in range(1 + (program[4] if len(program) > 4 else 0) % PAIRS):
            for s in socket.socketpair():
                fd = fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, FIRST_FD)
                s.close()
                os.set_blocking(fd, False)
                self.socks.append(socket.socket(fileno=fd))
        self.loop = IoLoop(w)
        self.left = {}  # the callbacks that were there when the loop was closed
        self.sending = {}

    def end(self):
        for s in self.socks:
            if s is not None:
                s.close()

    def ready(self, n):
        w = self.w
        if not w.spend():
            return
        w.lines.append("ready %d" % n)
        w.run_actions(n)

    def act(self, st):
        op = st[0]
        lines = self.w.lines
        loop = self.loop
        if op == "turns":
            for _ in range(st[1]):
                status, _ = self.w.attempt(self.turn)
                if status != "ok":
                    lines.append("turn: " + status)
            lines.append("turned")
            return True
        if op not in ("addr", "addw", "rmr", "rmw", "shut", "sclose"):
            return False
        i = st[1] % len(self.socks)
        s = self.socks[i]
        if s is None:
            lines.append("no sock")
        elif op == "addr" or op == "addw":
            if self.w.callbacks:
                n = st[2] % len(self.w.callbacks)
                status, _ = self.w.attempt(departures.add_callback, self, s, int(op == "addw"), n)
                lines.append("add %d to %d: %s" % (n, i, status))
        elif op == "rmr":
            lines.append("remove reader %d: %d" % (i, departures.remove_callback(self, s, 0)))
        elif op == "rmw":
            lines.append("remove writer %d: %d" % (i, departures.remove_callback(self, s, 1)))
        elif op == "shut":
            status, _ = self.w.attempt(s.shutdown, socket.SHUT_WR)
            lines.append("shutdown %d: %s" % (i, status))
        else:
            departures.sock_close(self, i)
            lines.append("close %d" % i)
        return True

    def turn(self):
        self.loop.call_soon(int)
        departures.run_once(self.loop)

    def statement(self, number, st):
        op = st[0]
        lines = self.w.lines
        i = st[1] % len(self.socks)
        s = self.socks[i]
        if s is None:
            lines.append("no sock")
        elif op == "recv":
            data = yield from departures.sock_recv(self, i, min(st[2], LARGE))
            lines.append("f%d received %d: %d %d" % (number, len(data), data[0] if data else -1,
                                                     data[-1] if data else -1))
        elif op == "sendall":
            size = min(st[2], LARGE)
            start = self.sends % 256
            self.sends += 1
            yield from departures.sock_sendall(self, i, memoryview(DATA)[start:start + size])
            lines.append("f%d sent %d" % (number, size))
        else:
            f = departures.selector_wait(self, s, int(op == "wr"))
            if self.w.ending:
                raise GeneratorExit
            yield from f
            lines.append("f%d may %s %d" % (number, "write" if op == "wr" else "read", i))
