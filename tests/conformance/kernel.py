"""The level of the kernel: the course's operating system, on real generators. See kernel.c.

It is the scheduler of the slides (tasks, system calls, the trampoline, the I/O task), written anew
with what was wrong there put right: the send value is used once; an error ends one task; an error in
a subroutine is raised in its caller; a kill unwinds the whole stack and takes the victim off every
list; who waits for himself, or all for each other, is told so; each descriptor has one waiter.
"""
import os
import select
from collections import deque

from machine import (AGAIN, END, ENDTRY, FINALLY, HANDLER, LEAF, LOOP, RAISE, RET, TRY, Deadlock, NotHere,
                     Unknown, catches, compiled, name)

MOST_INSTANCES, FEEDS, PLENTY, PIPES = 60, 5, 2000, 2
(YIELD, SUB, FRESH, TRAP, PIPE) = range(20, 25)
SPECIAL = {"y": YIELD, "sub": SUB, "dn": FRESH, "knew": TRAP, "gettid": TRAP, "kill": TRAP, "wait": TRAP,
           "kyield": TRAP, "kread": PIPE, "kwrite": PIPE, "kforget": PIPE, "kfeed": PIPE, "kdrain": PIPE}


class Task:
    """The slides' Task, with the trampoline's stack."""

    def __init__(self, tid, target):
        self.tid = tid
        self.target = target
        self.stack = []
        self.answer = None
        self.error = None
        self.call = None
        self.waiters = []

    def run(self, kernel):
        """Up to the next thing for the kernel to do: ("call", c), ("value", v), ("end", error)."""
        while True:
            answer, error = self.answer, self.error
            self.answer = self.error = None
            failed = value = None
            try:
                if error is not None:
                    value = self.target.throw(error)
                else:
                    value = self.target.send(answer)
            except StopIteration:
                ended = True
            except (KeyboardInterrupt, Unknown):
                raise
            except BaseException as e:
                ended, failed = True, e
            else:
                ended = False
                if isinstance(value, SystemCall):
                    return "call", value
                if isinstance(value, Body):
                    self.stack.append(self.target)
                    self.target = value
                    continue
            if not self.stack:
                return ("end", failed) if ended else ("value", value)
            kernel.free(self.target)
            self.target = self.stack.pop()
            self.answer, self.error = value, failed


class SystemCall:
    def handle(self, kernel, task):
        raise NotImplementedError

    def cancel(self, kernel, task):
        pass


class GetTid(SystemCall):
    def handle(self, kernel, task):
        kernel.schedule(task, task.tid)


class Yield(SystemCall):
    def handle(self, kernel, task):
        kernel.schedule(task, 0)


class NewTask(SystemCall):
    def __init__(self, target):
        self.target = target

    def handle(self, kernel, task):
        kernel.schedule(task, kernel.new(self.target))


class KillTask(SystemCall):
    def __init__(self, tid):
        self.tid = tid

    def handle(self, kernel, task):
        victim = kernel.tasks.get(self.tid)
        if victim is not None:
            kernel.kill(victim)
        if victim is not task:
            kernel.schedule(task, int(victim is not None))


class WaitTask(SystemCall):
    def __init__(self, tid):
        self.tid = tid

    def handle(self, kernel, task):
        self.other = kernel.tasks.get(self.tid)
        if self.other is None:
            kernel.schedule(task, 0)
        elif self.other is task:
            kernel.throw(task, Deadlock())
        else:
            self.other.waiters.append(task)

    def cancel(self, kernel, task):
        self.other.waiters.remove(task)


class FdWait(SystemCall):
    def __init__(self, fd, waiting):
        self.fd, self.waiting = fd, waiting

    def handle(self, kernel, task):
        if self.fd in self.waiting:
            kernel.throw(task, NotHere())
        else:
            self.waiting[self.fd] = task

    def cancel(self, kernel, task):
        del self.waiting[self.fd]


class Forget(SystemCall):
    def __init__(self, fd):
        self.fd = fd

    def handle(self, kernel, task):
        for waiting in (kernel.reading, kernel.writing):
            if self.fd in waiting:
                kernel.throw(waiting.pop(self.fd), OSError(9, "EBADF"))
        kernel.schedule(task, 0)


class Kernel:
    IO = object()

    def __init__(self, w):
        self.w = w
        self.ready = deque()
        self.tasks = {}
        self.last = 0
        self.reading, self.writing = {}, {}
        self.running = False

    def attach_io(self):
        self.ready.append(self.IO)

    def new(self, target):
        self.last += 1
        task = Task(self.last, target)
        self.tasks[task.tid] = task
        self.ready.append(task)
        return task.tid

    def report(self, task, error):
        self.w.lines.append("task %d %s" % (task.tid, "terminated" if error is None else name(error)))

    def schedule(self, task, answer):
        task.call, task.answer, task.error = None, answer, None
        self.ready.append(task)

    def throw(self, task, error):
        task.call, task.answer, task.error = None, None, error
        self.ready.append(task)

    def free(self, target):
        try:
            target.close()
        except BaseException as e:
            self.w.lines.append("unraisable " + name(e))
            target.drop()

    def mainloop(self):
        while self.tasks:
            if not self.ready:
                return self.deadlock()
            task = self.ready.popleft()
            if task is self.IO:
                wait = not self.ready
                if wait and not self.reading and not self.writing:
                    self.ready.append(self.IO)
                    return self.deadlock()
                self.poll(None if wait else 0)
                self.ready.append(self.IO)
                continue
            if task.target is None:
                self.leave(task, task.error)
                continue
            what, value = task.run(self)
            if what == "end":
                self.leave(task, value)
            elif what == "call":
                task.call = value
                value.handle(self, task)
            else:
                self.ready.append(task)
        return "ok"

    def poll(self, timeout):
        if not self.reading and not self.writing:
            return
        r, w, _ = select.select(self.reading, self.writing, [], timeout)
        for fd in sorted(set(r) | set(w)):
            if fd in r:
                self.schedule(self.reading.pop(fd), 0)
            if fd in w:
                self.schedule(self.writing.pop(fd), 0)

    def deadlock(self):
        for task in self.tasks.values():
            if task.call is not None:
                self.report(task, Deadlock())
        return "ERR_DEADLOCK"

    def leave(self, task, error):
        self.report(task, error)
        del self.tasks[task.tid]
        waiters, task.waiters = task.waiters, []
        for other in waiters:
            self.schedule(other, 1)
        while task.stack:
            self.free(task.target)
            task.target = task.stack.pop()
        if task.target is not None:
            self.free(task.target)

    def cancel_call(self, task):
        call, task.call = task.call, None
        if call is not None:
            call.cancel(self, task)

    def kill(self, victim):
        if victim.target is None:
            return
        if victim.call is not None:
            self.cancel_call(victim)
            self.ready.append(victim)
        victim.error = None
        while True:
            try:
                victim.target.close()
            except BaseException as e:
                victim.error = e
            self.free(victim.target)
            if not victim.stack:
                break
            victim.target = victim.stack.pop()
        victim.target = None

    def shutdown(self):
        """What kernel_free() does: every task is run to its end, all that it waits for fails."""
        while self.tasks:
            task = next(iter(self.tasks.values()))
            error = task.error
            begun = task.target is None or task.target.begun
            self.cancel_call(task)
            going = task.target is not None
            while going:
                task.answer = None
                task.error = GeneratorExit() if begun else None
                begun = True
                what, error = task.run(self)
                going = what != "end"
            self.leave(task, None if isinstance(error, GeneratorExit) else error)


class Body:
    """A generator, and whether it has begun; a dropped one never runs again."""
    __slots__ = ("me", "generator", "begun", "inner")

    def __init__(self, w, number, code):
        self.me = self
        self.begun = False
        self.inner = None
        self.generator = body(w, self, number, code)

    def send(self, value):
        self.begun = True
        return self.generator.send(value)

    def throw(self, error):
        self.begun = True
        return self.generator.throw(error)

    def close(self):
        if self.generator is not None:
            self.generator.close()

    def drop(self):
        x = self
        while x is not None:
            x.me = None
            x = x.inner
        self.generator.close()
        self.generator = None


class Feeder:
    begun = True

    def __init__(self, generator):
        self.generator = generator
        self.send, self.throw, self.close = generator.send, generator.throw, generator.close


class World:
    def __init__(self, program):
        self.lines = []
        self.budget = 1500
        self.over = False
        self.count = 0
        self.codes = [compiled(block, SPECIAL) for block in program[1]]
        pipes = (program[3] if len(program) > 3 else 0) % (PIPES + 1)
        self.pipes = [os.pipe() for _ in range(pipes)]
        self.kernel = Kernel(self)
        self.feeder_tid = -1
        try:
            for r, w in self.pipes:
                os.set_blocking(r, False)
            if pipes:
                self.kernel.attach_io()
            self.script(program[2])
        finally:
            for r, w in self.pipes:
                os.close(r)
                os.close(w)
        self.over = True

    def script(self, script):
        for st in script:
            if not self.spend():
                continue
            if st[0] == "spawn":
                x = self.add(st[1])
                if x is not None:
                    self.lines.append("spawn %d: %d" % (self.count - 1, self.kernel.new(x)))
            elif st[0] == "krun":
                if self.pipes:
                    self.feeder_tid = self.kernel.new(Feeder(self.feeder()))
                error = self.kernel.mainloop()
                self.lines.append("run: %s, %d left" % (error, len(self.kernel.tasks)))
            else:
                raise Unknown(st[0])
        self.lines.append("end")
        self.kernel.shutdown()

    def spend(self):
        if self.budget > 0:
            self.budget -= 1
            return self.budget > 0
        return False

    def add(self, i):
        if self.count == MOST_INSTANCES or not self.codes:
            self.lines.append("no more")
            return None
        self.count += 1
        return Body(self, self.count - 1, self.codes[i % len(self.codes)])

    def feeder(self):
        quiet = feeds = 0
        while True:
            before = self.budget
            yield Yield()
            if self.budget != before and self.budget > 0:
                quiet = 0
                continue
            if len(self.kernel.tasks) == 1:
                return
            quiet += 1
            if quiet < 3:
                continue
            quiet = 0
            feeds += 1
            self.lines.append("feed")
            for r, w in self.pipes:
                os.write(w, bytes(PLENTY if feeds > FEEDS else 1))
            if feeds > FEEDS:
                return

    def trap(self, st):
        op = st[0]
        if op == "gettid":
            return GetTid()
        if op == "kyield":
            return Yield()
        if op == "kill":
            if st[1] == self.feeder_tid:
                self.lines.append("none")
                return None
            return KillTask(st[1])
        if op == "wait":
            return WaitTask(st[1])
        x = self.add(st[1])
        return x and NewTask(x)

    def pipe(self, number, st):
        """A call to be yielded, or None if it is done already."""
        op = st[0]
        if not self.pipes:
            self.lines.append("none")
            return None
        r, w = self.pipes[st[1] % len(self.pipes)]
        if op == "kfeed":
            os.write(w, b"x")
        elif op == "kdrain":
            try:
                n = len(os.read(r, 1))
            except BlockingIOError:
                n = 0
            self.lines.append("%d drained %d" % (number, n))
        elif op == "kread":
            return FdWait(r, self.kernel.reading)
        elif op == "kwrite":
            return FdWait(w, self.kernel.writing)
        else:
            return Forget(r)
        return None


def body(w, me, number, code):
    lines = w.lines
    lines.append("%d begins" % number)
    pc = 0
    tries = []
    outcomes = []
    loops = []
    while True:
        error = None
        result = None
        try:
            while True:
                ins = code[pc]
                pc += 1
                kind = ins[0]
                if kind == HANDLER or kind == FINALLY or kind == ENDTRY or kind == AGAIN or kind == END:
                    pass
                elif not w.spend():
                    result = (None,)
                    break
                if kind == YIELD:
                    value = ins[1][1]
                    value = yield (None if value < 0 else value)
                    lines.append("%d got %s" % (number, value))
                elif kind == TRAP:
                    call = w.trap(ins[1])
                    if call is not None:
                        value = yield call
                        lines.append("%d got %s" % (number, value))
                elif kind == PIPE:
                    call = w.pipe(number, ins[1])
                    if call is not None:
                        value = yield call
                        lines.append("%d got %s" % (number, value))
                elif kind == SUB:
                    x = w.add(ins[1][1])
                    if x is not None:
                        value = yield x
                        lines.append("%d got %s" % (number, value))
                elif kind == FRESH:
                    x = w.add(ins[1][1])
                    if x is not None:
                        me.inner = x
                        try:
                            value = yield from x.generator
                        finally:
                            me.inner = None
                            if not w.over and me.me is not None:
                                w.kernel.free(x)
                        lines.append("%d got %s" % (number, value))
                elif kind == TRY:
                    tries.append([ins, 0, len(outcomes), len(loops)])
                elif kind == HANDLER:
                    pc = tries[-1][0][2]
                elif kind == FINALLY:
                    t = tries.pop()
                    del loops[t[3]:]
                    outcomes.append(t[4] if len(t) > 4 else None)
                    if ins[1]:
                        lines.append("%d finally" % number)
                elif kind == ENDTRY:
                    pending = outcomes.pop()
                    if pending is not None:
                        error, result = pending
                        break
                elif kind == LOOP:
                    if ins[1] <= 0:
                        pc = ins[2]
                    else:
                        loops.append(ins[1])
                elif kind == AGAIN:
                    loops[-1] -= 1
                    if loops[-1] > 0:
                        pc = ins[1]
                    else:
                        loops.pop()
                elif kind == RET:
                    result = (None if ins[1] < 0 else ins[1],)
                    break
                elif kind == RAISE:
                    raise ins[1]()
                elif kind == LEAF:
                    raise Unknown(ins[1][0])
                else:
                    return None
        except BaseException as e:
            if w.over or me.me is None:
                return None
            if isinstance(e, KeyboardInterrupt):
                raise
            error = e
            lines.append("%d ! %s" % (number, name(e)))
        while tries:
            t = tries[-1]
            ins = t[0]
            del outcomes[t[2]:]
            del loops[t[3]:]
            if error is not None and t[1] == 0 and catches(ins[3], error):
                t[1] = 1
                lines.append("%d caught %s" % (number, name(error)))
                error = None
                pc = ins[1]
                break
            t.append((error, result))
            pc = ins[2]
            break
        else:
            if error is not None:
                raise error
            return result[0]


def run(program):
    return World(program).lines
