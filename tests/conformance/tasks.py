"""The levels of futures, tasks and the loop, on real asyncio. See async.c and loop.c."""
import asyncio
import collections.abc
import gc
import heapq
from asyncio import base_events, events, futures

import departures
from machine import (AGAIN, END, ENDTRY, FINALLY, HANDLER, LEAF, LOOP, RAISE, RET, TRY, USER, Deadlock,
                     Unknown, catches, compiled, name)

LEVEL_FUTURES, LEVEL_TASKS, LEVEL_LOOP, LEVEL_IO = 1, 2, 3, 4
SLOTS, FOREIGN, HANDLES, NUMBERS = 10, 9, 32, 400
AWAIT, TURN, RAW, FUTURE, SLEEP, FRESH, WAIT_FOR, OTHER = range(20, 28)
SPECIAL = {"aw": AWAIT, "yn": TURN, "y": RAW, "yf": FUTURE, "sleep": SLEEP, "dn": FRESH, "wf": WAIT_FOR,
           "rd": OTHER, "wr": OTHER, "recv": OTHER, "sendall": OTHER}


class Future(departures.Future):
    number = -1


class Handle(events.Handle):
    ran = False
    gone = False  # taken back by the library itself: see departures.leave_queue()

    def _run(self):
        self.ran = True
        self._loop.ran += 1
        super()._run()


class Timer(events.TimerHandle):
    ran = False
    gone = False

    def _run(self):
        self.ran = True
        self._loop.ran += 1
        super()._run()

    __eq__ = object.__eq__
    __hash__ = object.__hash__
    __lt__ = departures.timer_before


class NoTime:
    """A selector that has nothing to select, on a clock on which a day takes no time."""

    def __init__(self, loop):
        self.loop = loop

    def select(self, timeout):
        if timeout is None:
            raise Deadlock
        self.loop.now += timeout
        return ()

    def close(self):
        pass


class VirtualTime:
    """What the loops of all levels have in common."""

    def prepare(self, w):
        self.w = w
        self.now = 0.0
        self.ran = 0
        self.timers = 0
        self._clock_resolution = 1e-9

    def time(self):
        return self.now

    def create_future(self):
        return Future(loop=self)

    def _run_once(self):
        departures.leave_queue(self)
        super()._run_once()

    def call_exception_handler(self, context):
        self.w.report(context)

    def _call_soon(self, callback, args, context):
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(self, when, callback, *args, context=None):
        self._check_closed()
        timer = Timer(when, callback, args, self, context)
        self.timers += 1
        timer.sequence = self.timers
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer


class Loop(VirtualTime, base_events.BaseEventLoop):
    def __init__(self, w):
        base_events.BaseEventLoop.__init__(self)
        self.prepare(w)
        self._selector = NoTime(self)

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        pass


class Coro(collections.abc.Coroutine):
    """A body, as what a Task takes."""

    __slots__ = ("generator", "message", "cancelled_task")

    def __init__(self, generator):
        self.generator = generator
        self.message = self.cancelled_task = None

    def send(self, value):
        departures.start_cancelled(self)
        value, self.message = self.message, None
        return self.generator.send(value)

    def throw(self, *error):
        self.message = None  # a cancel wins: the value is not kept for a later step
        return self.generator.throw(*error)

    def close(self):
        self.generator.close()

    def __await__(self):
        raise TypeError


class Task(departures.Task):
    number = -1


class Instance:
    __slots__ = ("number", "code", "dead", "inner")


def shown(value):
    return "None" if value is None or isinstance(value, list) else str(value)


class World:
    def __init__(self, program):
        self.lines = []
        self.budget = 1500
        self.over = False
        self.ending = False
        self.kept = []
        self.inexact = False
        self.inner = 0
        self.dropped = False
        self.level = program[0]
        self.count = 0
        self.scripts = program[1]
        self.codes = [compiled(block, SPECIAL) for block in program[2]]
        self.slots = [None] * SLOTS
        self.handles = [None] * HANDLES
        self.asked = {}  # the tasks along which a cancel is just passed on
        self.alive = {}  # tasks that have not ended, and gathers, in the order in which they were made
        self.foreign = Loop(self)
        self.callbacks = [self.callback(i) for i in range(len(self.scripts))]
        self.slots[FOREIGN] = self.numbered(self.foreign.create_future())
        if self.level == LEVEL_IO:
            import io_level
            self.io = io_level.Io(self, program)
            self.loop = self.io.loop
        else:
            self.loop = Loop(self)
        script = program[3]
        for st in script:
            if not self.spend():
                continue
            if st[0] == "lclose":
                self.close()
            elif st[0] == "once" and self.level < LEVEL_LOOP:
                self.ran(departures.run_queue(self.loop))
            else:
                self.act(st)
        self.lines.append("end")
        if self.level < LEVEL_LOOP:
            for _ in range(10):
                departures.run_queue(self.loop)
        self.close()
        for i in range(SLOTS):
            self.put(i, None)
        self.foreign.close()
        self.late_reports()
        self.over = True
        if self.level == LEVEL_IO:
            self.io.end()

    def spend(self):
        if self.budget > 0:
            self.budget -= 1
            return self.budget > 0
        return False

    # ---- reports

    def report(self, context):
        if self.over:
            return
        said = context["message"]
        error = context.get("exception")
        if error is not None:
            error.__traceback__ = None
        if "never retrieved" in said:
            f = context["future"] if "future" in context else context["task"]
            self.kept.append((f.number, name(error)))
        elif "destroyed" in said:
            self.lines.append("report destroyed: f%d" % context["task"].number)
        elif said.startswith("Exception in callback"):
            self.lines.append("report callback: " + name(error))
        else:
            self.lines.append("report %s: %s" % (said, error and name(error)))

    def late_reports(self):
        """Which errors nobody ever asked for; when they were dropped is not looked at here."""
        gc.collect()
        if self.dropped:  # what the body of a generator held is lost in C, and with it some reports
            return
        self.kept.sort()
        for entry in self.kept:
            self.lines.append("report never retrieved: f%d %s" % entry)

    def ran(self, n):
        """How many callbacks ran; what chains and combinators queue for themselves is their own."""
        self.lines.append("ran" if self.inexact and isinstance(n, int) else "ran %s" % n)

    # ---- numbers and slots

    def numbered(self, f):
        if self.count < NUMBERS:
            f.number = self.count
            self.count += 1
        return f

    def put(self, slot, f):
        self.slots[slot] = None
        self.slots[slot] = f

    def describe(self, f):
        who = "task 'body' " if isinstance(f, Task) else ""
        if not f.done():
            return who + "pending"
        if f.cancelled():
            return who + "cancelled"
        if f._exception is not None:
            return who + "finished exception=" + name(f._exception)
        return who + "finished result=" + shown(f._result)

    # ---- callbacks

    def callback(self, number):
        def done_callback(f):
            if not self.spend():
                return
            self.lines.append("callback %d of f%d %s" % (number, f.number, self.describe(f)))
            self.run_actions(number)
        return done_callback

    def call(self, number):
        if not self.spend():
            return
        self.lines.append("call %d" % number)
        self.run_actions(number)

    def run_actions(self, number):
        for st in self.scripts[number]:
            if not self.spend():
                return
            if st[0] == "raise":
                raise USER[st[1]]()
            self.act(st)

    # ---- actions

    def attempt(self, function, *args):
        """(status, value) of a call."""
        try:
            return "ok", function(*args)
        except KeyboardInterrupt:
            raise
        except BaseException as e:
            e.__traceback__ = None
            return name(e), None

    def new_task(self, st):
        if self.count == NUMBERS or not self.codes:
            self.lines.append("no more")
            return
        me = Instance()
        me.number = self.count
        me.dead = False
        me.inner = None
        me.code = self.codes[st[2] % len(self.codes)]
        if self.loop.is_closed():
            self.lines.append("task f%d: ERR_CLOSED" % self.count)
            return
        task = Task(Coro(body(self, me)), self)
        self.alive[task] = None
        self.lines.append("task f%d: ok" % self.count)
        self.numbered(task)
        if st[1] >= 0:
            self.put(st[1] % FOREIGN, task)

    def new_gather(self, st):
        children = [f for f in (self.slots[i % SLOTS] for i in st[3]) if f is not None]
        if self.count == NUMBERS:
            self.lines.append("no more")
            return
        self.inexact = True
        status, f = self.attempt(departures.gather, self, self.loop, children, bool(st[2]))
        self.lines.append("gather f%d of %d: %s" % (self.count, len(children), status))
        if f is not None:
            self.put(st[1] % FOREIGN, self.numbered(f))

    def act(self, st):
        op = st[0]
        lines = self.lines
        if op == "fut":
            if self.count == NUMBERS:
                lines.append("no more")
            else:
                self.put(st[1] % FOREIGN, self.numbered(Future(loop=self.loop)))
            return
        if op == "task":
            return self.new_task(st)
        if op == "cur":
            task = departures.current_task(self)
            lines.append("current f%d" % (-1 if task is None else task.number))
            return
        if op == "gather":
            return self.new_gather(st)
        if op == "drop":
            return self.put(st[1] % FOREIGN, None)
        function = ACTIONS.get(op)
        if function is None:
            if self.level >= LEVEL_LOOP and (self.act_loop(st) or self.level == LEVEL_IO and self.io.act(st)):
                return
            raise Unknown(op)
        f = self.slots[st[1] % SLOTS]
        if f is None:
            lines.append("none")
        else:
            function(self, f, st)

    def act_set(self, f, st):
        status, _ = self.attempt(f.set_result, None if st[2] < 0 else st[2])
        self.lines.append("set f%d: %s" % (f.number, status))

    def act_exc(self, f, st):
        status, _ = self.attempt(f.set_exception, USER[st[2]]())
        self.lines.append("exc f%d: %s" % (f.number, status))

    def act_setun(self, f, st):
        status, _ = self.attempt(futures._set_result_unless_cancelled, f, None if st[2] < 0 else st[2])
        self.lines.append("setun f%d: %s" % (f.number, status))

    def act_cancel(self, f, st):
        self.lines.append("cancel f%d: %d" % (f.number, f.cancel()))

    def act_res(self, f, st):
        status, value = self.attempt(f.result)
        self.lines.append("result f%d: %s %s" % (f.number, status, shown(value)))

    def act_err(self, f, st):
        status, error = self.attempt(f.exception)
        self.lines.append("exception f%d: %s %s" % (f.number, status, "None" if error is None else name(error)))

    def act_st(self, f, st):
        self.lines.append("f%d %s" % (f.number, self.describe(f)))

    def act_add(self, f, st):
        if self.callbacks:
            n = st[2] % len(self.callbacks)
            status, _ = self.attempt(f.add_done_callback, self.callbacks[n])
            self.lines.append("add f%d %d: %s" % (f.number, n, status))

    def act_rm(self, f, st):
        if self.callbacks:
            n = st[2] % len(self.callbacks)
            self.lines.append("remove f%d %d: %d" % (f.number, n, f.remove_done_callback(self.callbacks[n])))

    def act_chain(self, f, st):
        g = self.slots[st[2] % SLOTS]
        if g is None or g.number <= f.number or hasattr(g, "_children") or g._loop is not self.loop or f._loop is not self.loop:
            self.lines.append("none")
            return
        self.inexact = True
        status, _ = self.attempt(departures.chain, f, g)
        self.lines.append("chain f%d f%d: %s" % (f.number, g.number, status))

    def act_item(self, f, st):
        status, value = self.attempt(departures.gather_item, f, st[2])
        self.lines.append("item f%d %d: %s %s" % (f.number, st[2], status, shown(value)))

    def act_shield(self, f, st):
        if self.count == NUMBERS:
            self.lines.append("no more")
            return
        self.inexact = True
        status, g = self.attempt(departures.shield, f)
        if g is f or g is None:
            self.lines.append("shield f%d: %s" % (f.number, "itself" if g is f else status))
        else:
            self.lines.append("shield f%d: f%d" % (f.number, self.count))
            self.numbered(g)
        if g is not None:
            del f
            self.put(st[2] % FOREIGN, g)

    # ---- the loop

    def act_loop(self, st):
        op = st[0]
        lines = self.lines
        loop = self.loop
        if op == "soon" or op == "later" or op == "at":
            if not self.callbacks:
                return True
            n = st[-1] % len(self.callbacks)
            if op == "soon":
                status, handle = self.attempt(loop.call_soon, self.call, n)
                lines.append("soon %d: %s" % (n, status))
            elif op == "later":
                status, handle = self.attempt(loop.call_later, st[2], self.call, n)
                lines.append("later %d %d: %s" % (st[2], n, status))
            else:
                status, handle = self.attempt(loop.call_at, st[2], self.call, n)
                lines.append("at %d %d: %s" % (st[2], n, status))
            self.handles[st[1] % HANDLES] = handle
        elif op == "hc":
            lines.append(departures.handle_cancel(self.handles[st[1] % HANDLES]))
        elif op == "when":
            lines.append(departures.handle_when(self.handles[st[1] % HANDLES]))
        elif op == "time":
            if not loop.is_closed():
                lines.append("time: %g running %d" % (loop.time(), loop.is_running()))
        elif op == "stop":
            loop.stop()
            lines.append("stop")
        elif op == "once":
            status, ran = self.attempt(departures.run_once, loop)
            self.ran(ran if status == "ok" else status)
        elif op == "forever":
            status, _ = self.attempt(departures.run_forever, loop)
            lines.append("forever: %s" % status)
        elif op == "until":
            f = self.slots[st[1] % SLOTS]
            if f is None:
                lines.append("none")
                return True
            status, value = self.attempt(departures.run_until_complete, loop, f)
            lines.append("until f%d: %s %s" % (f.number, status, shown(value)))
        elif op == "lclose":
            status, _ = self.attempt(loop.close)
            lines.append("closed: %s" % status)
        else:
            return False
        return True

    def close(self):
        departures.close(self)
        self.lines.append("closed: ok")


ACTIONS = {"set": World.act_set, "exc": World.act_exc, "setun": World.act_setun, "cancel": World.act_cancel,
           "res": World.act_res, "err": World.act_err, "st": World.act_st, "add": World.act_add,
           "rm": World.act_rm, "chain": World.act_chain, "item": World.act_item, "shield": World.act_shield}


def body(w, me):
    lines = w.lines
    code = me.code
    number = me.number
    lines.append("f%d begins" % number)
    pc = 0
    tries = []
    outcomes = []
    loops = []
    while True:
        error = None
        result = None
        value = None
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
                if kind == AWAIT or kind == FUTURE or kind == WAIT_FOR:
                    st = ins[1]
                    fut = w.slots[st[1] % SLOTS]
                    if fut is None:
                        lines.append("none")
                        continue
                    try:
                        if kind == FUTURE:
                            fut._asyncio_future_blocking = True
                            value = yield fut
                        elif kind == AWAIT:
                            if w.ending:
                                raise GeneratorExit
                            value = yield from fut
                        else:
                            w.inexact = True
                            value = yield from departures.wait_for(w, fut, st[2])
                    finally:
                        fut = None
                    lines.append("f%d got %s" % (number, shown(value)))
                elif kind == LEAF:
                    w.act(ins[1])
                elif kind == TURN:
                    if w.ending:
                        raise GeneratorExit
                    yield None
                elif kind == RAW:
                    value = ins[1][1]
                    value = yield (None if value < 0 else value)
                    lines.append("f%d got %s" % (number, shown(value)))
                elif kind == SLEEP:
                    if w.ending:
                        raise GeneratorExit
                    yield from asyncio.sleep(ins[1][1]).__await__()
                elif kind == FRESH:
                    if w.inner == 12:
                        lines.append("no more")
                        continue
                    w.inner += 1
                    x = Instance()
                    x.number = number
                    x.dead = False
                    x.inner = None
                    me.inner = x
                    x.code = w.codes[ins[1][1] % len(w.codes)]
                    inner = body(w, x)
                    try:
                        value = yield from inner
                    finally:
                        try:
                            inner.close()
                        except BaseException as e:
                            lines.append("unraisable " + name(e))
                            w.dropped = w.dropped or name(e) == "ERR_IGNORED_EXIT"
                        me.inner = None
                        while x is not None:  # whoever would not end is dropped with all it delegates to
                            x.dead = True
                            x = x.inner
                    lines.append("f%d got %s" % (number, shown(value)))
                elif kind == OTHER:
                    yield from w.io.statement(number, ins[1])
                elif kind == TRY:
                    tries.append([ins, 0, len(outcomes), len(loops)])
                elif kind == HANDLER:
                    pc = tries[-1][0][2]
                elif kind == FINALLY:
                    t = tries.pop()
                    del loops[t[3]:]
                    outcomes.append(t[4] if len(t) > 4 else None)
                    if ins[1]:
                        lines.append("f%d finally" % number)
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
                else:
                    return None
        except BaseException as e:
            if w.over or me.dead:
                return None
            if isinstance(e, KeyboardInterrupt):
                raise
            e.__traceback__ = None
            error = e
            lines.append("f%d ! %s" % (number, name(e)))
        while tries:
            t = tries[-1]
            ins = t[0]
            del outcomes[t[2]:]
            del loops[t[3]:]
            if error is not None and t[1] == 0 and catches(ins[3], error):
                t[1] = 1
                lines.append("f%d caught %s" % (number, name(error)))
                error = None
                pc = ins[1]
                break
            t.append((error, result))
            pc = ins[2]
            break
        else:
            if error is not None:
                try:
                    raise error
                finally:
                    del error
            return result[0]


def run(program):
    w = World(program)
    w.loop.close()
    return w.lines
