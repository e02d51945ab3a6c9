"""Where we differ from CPython 3.11 on purpose: one function for each departure.

docs/departures.md gives the reasons. Nothing is filtered out of a trace: what differs is done
differently here, so that both sides have to say the same.
"""
import asyncio
import errno
import sys
import threading
import weakref
from asyncio import base_events, events, futures

from machine import Busy, Deadlock, NotHere, WrongLoop

# ---- generators ---------------------------------------------------------------------------------


def close_value(x, g):
    """K4: close hands out what the body returned after catching the exit (as CPython 3.13)."""
    x.returned = None
    g.close()
    return x.returned


def is_running(g):
    """Y13: a generator counts as running while the innermost one that it delegates to runs, also
    if somebody else drives that one. CPython would let it be resumed, and fail inside it."""
    while g is not None:
        if g.gi_running:
            return True
        g = g.gi_yieldfrom
    return False


def may_delegate(x):
    """Y11: the second one who delegates to a generator gets BUSY, and so does who delegates to one
    that is running; CPython would raise the latter inside the innermost."""
    if x.delegated and x.generator.gi_frame is not None or is_running(x.generator):
        raise Busy


def delegate(x):
    """Y13, Y11: a delegation ends for all to see when the inner generator was driven to its end by
    somebody else; CPython shows it until the outer one is resumed."""
    g = x.generator
    if x.inner is None or x.inner.generator is None or g.gi_yieldfrom is None or is_running(g):
        return None
    return x.inner if x.inner.generator.gi_frame is not None else None


# ---- futures ------------------------------------------------------------------------------------


def let_go(f):
    """Takes the traceback off an error: it holds frames, and with them futures that C's reference
    counts have freed by now. Without a collector, F17's report must come at the same time here."""
    f._exception_tb = None
    for error in (f._exception, f._cancelled_exc):
        if error is not None:
            error.__traceback__ = error.__context__ = error.__cause__ = None


class Future(asyncio.futures._PyFuture):
    """asyncio's Future, but for F23."""
    number = -1

    def cancel(self, msg=None):
        """F23: our cancel answers a bool, which cannot say CLOSED. The future is cancelled."""
        try:
            return super().cancel()
        except RuntimeError:
            return True

    def set_exception(self, exception):
        """F23, F17: an error that was set after the close is reported like any other; CPython forgets
        to, since calling the callbacks fails first."""
        try:
            super().set_exception(exception)
        except RuntimeError:
            if self._state == "FINISHED":
                self._Future__log_traceback = True
            raise
        finally:
            if self._exception is not None:
                let_go(self)


def take_back(f, callback):
    """H03: a callback of the library's own goes when it is not needed any more, also from the queue."""
    f.remove_done_callback(callback)
    for handle in f._loop._ready:
        if handle._callback is callback:
            handle.cancel()
            handle.gone = True


class Link:
    """Stands between two futures: held by the source, holds the target."""

    def __init__(self, source, target):
        self.source = weakref.ref(source)
        self.target = target
        me = weakref.ref(self)

        def pass_on(target):
            link = me()
            source = link and link.source()
            if source is None or source.done():
                return
            if target.cancelled():
                source.cancel()
            else:
                source.remove_done_callback(link.copy)

        self.pass_on = pass_on
        target.add_done_callback(pass_on)
        source.add_done_callback(self.copy)

    def part(self):
        take_back(self.target, self.pass_on)

    def copy(self, source):
        self.part()
        if not self.target.done():
            futures._copy_future_state(source, self.target)

    def __del__(self):
        self.part()


def chain(source, target):
    """F22: nothing is copied into a target that is done, however it was done; asyncio's
    _chain_future knows only cancelled ones, and fails an assertion at others. The target does not
    keep the source alive: without a collector that would be a ring that nobody ever frees."""
    Link(source, target)


# ---- tasks --------------------------------------------------------------------------------------


def start_cancelled(coro):
    """T18, second half: the body starts as if its first statement cancelled its own task."""
    task, coro.cancelled_task = coro.cancelled_task, None
    if task is not None:
        task._must_cancel = True


class Task(asyncio.tasks._PyTask):
    """asyncio's Task, but for T18, T06 and T28."""

    def __init__(self, coro, w):
        self.w = w
        self.started = self.broke_ring = False
        self._log_destroy_pending = False  # T32 is said by close(), below
        super().__init__(coro, loop=w.loop, name="body")

    def _Task__step(self, exc=None):
        """T18: a cancel that came before the first step is not raised by that step."""
        w = self.w
        if not self.started:
            self.started = True
            if self._must_cancel:
                self._must_cancel = False
                self._coro.cancelled_task = self
        self.broke_ring = False
        super()._Task__step(exc)
        if self.broke_ring:  # by the cancel that the step passed on to what it began to wait for
            self._must_cancel = True
        if self.done():
            w.alive.pop(self, None)
            let_go(self)
        self = exc = None

    def _Task__wakeup(self, future):
        """T06: the value of what was awaited is sent in. asyncio sends None, for whoever awaits asks
        the future himself."""
        try:
            value = future.result()
        except BaseException as exc:
            self._Task__step(exc)
        else:
            self._coro.message = None if isinstance(value, list) else value
            self._Task__step()
        self = future = None

    def cancel(self, msg=None):
        """T28: a cancel that comes back to where it has been ends the wait of the last one in the ring.
        CPython recurses until it runs out of stack."""
        if self.done():
            return super().cancel()
        if self._fut_waiter is not None and self._fut_waiter.done():
            # F18: only who asks for a future's cancel silences it; CPython silences it here too
            self._num_cancels_requested += 1
            self._must_cancel = True
            return True
        if self in self.w.asked:
            return super().cancel()
        path = {}
        task = self
        while isinstance(task, Task) and not task.done() and task not in path:
            path[task] = True
            task = task._fut_waiter
        if task not in path:  # no ring: those on the way need not look for one again
            before, self.w.asked = self.w.asked, path
            try:
                return super().cancel()
            finally:
                self.w.asked = before
        for task in path:
            task._num_cancels_requested += 1
        task._must_cancel = task.broke_ring = True
        task._fut_waiter.remove_done_callback(task._Task__wakeup)
        task._fut_waiter = None
        if not self._loop.is_closed():
            task._loop.call_soon(task._Task__step)
        return True


def current_task(w):
    return asyncio.current_task(w.loop)


# ---- the loop -----------------------------------------------------------------------------------


def timer_before(self, other):
    """K9: equal deadlines fire in the order in which they were set."""
    return (self._when, self.sequence) < (other._when, other.sequence)


def leave_queue(loop):
    """A callback that the library itself takes back is gone; one that its owner cancels leaves a gap,
    as in CPython, which makes the next turn one that does not wait."""
    for handle in [handle for handle in loop._ready if handle.gone]:
        loop._ready.remove(handle)


def handle_cancel(handle):
    """H03: cancelling a handle says whether it had an effect."""
    if handle is None or handle.ran or handle.cancelled() or handle._loop.is_closed():
        return "handle cancel: 0"
    handle.cancel()
    return "handle cancel: 1 %d" % handle.cancelled()


def handle_when(handle):
    """D01: only a timer that still waits has a deadline."""
    if (not isinstance(handle, events.TimerHandle) or not handle._scheduled or handle.cancelled()
            or handle._loop.is_closed()):
        return "when: none"
    return "when: %g" % handle.when()


def run_once(loop):
    """K14, L18: one whole iteration; it says how many callbacks ran, and does not wait for ever."""
    loop._check_closed()
    loop._check_running()
    loop.ran = 0
    loop._thread_id = threading.get_ident()
    events._set_running_loop(loop)
    try:
        loop._run_once()
    except Deadlock:
        pass
    finally:
        loop._stopping = False
        loop._thread_id = None
        events._set_running_loop(None)
    return loop.ran


def run_queue(loop):
    """The levels without a loop are pumped by hand; a closed queue has nothing to run."""
    return 0 if loop.is_closed() else run_once(loop)


def run_forever(loop):
    """L04: an idle loop that nothing can wake ends, after a report. B5-2: a nested run that is refused
    leaves the outer one alone; 3.13.0 ends it."""
    loop._check_closed()
    loop._check_running()
    try:
        loop.run_forever()
    except Deadlock:
        loop.w.lines.append("report deadlock")
        raise


def run_until_complete(loop, f):
    """L04, likewise. L11: its stop-callback is taken back on every exit, even if it is queued already;
    CPython would let it stop the next run."""
    loop._check_closed()
    loop._check_running()
    try:
        return loop.run_until_complete(f)
    except Deadlock:
        loop.w.lines.append("report deadlock")
        raise
    finally:
        for handle in list(loop._ready):
            if handle._callback is base_events._run_until_complete_cb:
                loop._ready.remove(handle)


def part(callbacks):
    """A link between two futures ends with the call that would have ended it."""
    for callback in callbacks:
        link = getattr(callback, "__self__", None)
        if isinstance(link, (Link, Shield)):
            link.part()


PATIENCE = 1000


def close(w):
    """L14, T32, G19: every body that has not ended is brought to its end: started if it has not been,
    and told at each await that it must go. One report each; nobody is called back."""
    loop = w.loop
    if loop.is_closed():
        return
    queued = [handle._callback for handle in loop._ready]
    if w.level == 4:
        before_close(w.io)
    loop.close()
    part(queued)
    queued = None
    ending = list(w.alive.items())
    while ending:
        task, waits = ending.pop(0)
        if waits is not None:  # a gather parts from its children; who is nobody's else goes away now
            for child in waits[1]:
                child.remove_done_callback(waits[0])
            del w.alive[task]
            task = waits = child = None
            continue
        w.lines.append("report destroyed: f%d" % task.number)
        if task._fut_waiter is not None:
            task._fut_waiter.remove_done_callback(task._Task__wakeup)
            task._fut_waiter = None
        w.ending = True
        asyncio.tasks._enter_task(loop, task)
        generator = task._coro.generator
        try:
            if not task.started:
                generator.send(None)
            for _ in range(PATIENCE):
                generator.throw(GeneratorExit())
        except BaseException as e:
            e.__traceback__ = None
        finally:
            asyncio.tasks._leave_task(loop, task)
        w.ending = False
        task.started = True
        part(callback for callback, _ in task._callbacks)
        task._callbacks.clear()
        asyncio.futures._PyFuture.set_exception(task, GeneratorExit())
        task._log_traceback = False
        del w.alive[task]
        task = None


# ---- combinators --------------------------------------------------------------------------------


class Gathering(Future):
    """The future of asyncio's gather, but for F18 and T28."""

    def __init__(self, children, *, loop):
        super().__init__(loop=loop)
        self._children = children
        self._cancel_requested = False
        self.cancelling = False

    def cancel(self, msg=None):
        """F18: also cancel() of a gather that has failed already silences its report. T28: a gather
        that is asked again while it asks its children stands in a ring, and ends it. Q03: a child
        is asked once however often it stands there; in a nest of gathers CPython asks exponentially
        often."""
        if self.done():
            self._log_traceback = False
            return False
        if self.cancelling:
            try:
                self.set_exception(asyncio.CancelledError())
            except RuntimeError:
                return False
            return True
        asked = False
        self.cancelling = True
        for child in dict.fromkeys(self._children):
            if child.cancel():
                asked = True
        self.cancelling = False
        if asked:
            self._cancel_requested = True
        return asked


asyncio.tasks._GatheringFuture = Gathering


def gather_3_11(loop, children, return_exceptions):
    """K13: children that are done already are asked in the next turn, as in 3.11; 3.12 asks at once."""
    left = len(set(children))
    outer = Gathering(list(children), loop=loop)

    def child_done(child):
        nonlocal left
        left -= 1
        if outer.done():
            if not child.cancelled():
                child.exception()
        elif not return_exceptions and child.cancelled():
            outer.set_exception(asyncio.CancelledError())
        elif not return_exceptions and child.exception() is not None:
            outer.set_exception(child.exception())
        elif left == 0:
            results = [asyncio.CancelledError() if each.cancelled() else each.exception() or each.result()
                       for each in children]
            if outer._cancel_requested:
                outer.set_exception(asyncio.CancelledError())
            else:
                outer.set_result(results)

    for child in dict.fromkeys(children):
        child.add_done_callback(child_done)
    return outer


def gather(w, loop, children, return_exceptions):
    """L15: on a closed loop gather is refused whatever its children are."""
    for child in children:
        if child._loop is not loop:
            raise WrongLoop
    loop._check_closed()
    if not children:
        f = loop.create_future()
        f.set_result([])
        f._children = []
        return f
    if sys.version_info >= (3, 12):
        f = gather_3_11(loop, children, return_exceptions)
    else:
        f = asyncio.gather(*children, return_exceptions=return_exceptions)
    waiting = [child for child in f._children if not child.done()]
    if waiting:
        w.alive[f] = (waiting[0]._callbacks[-1][0], waiting)
    return f


def gather_item(f, i):
    """Q01: C has no lists; each result of a gather is asked for."""
    children = getattr(f, "_children", None)
    if children is None:
        raise TypeError
    if i >= len(children):
        raise ValueError
    if not f.done():
        raise asyncio.InvalidStateError
    if f._exception is not None or f.cancelled():
        return children[i].result()
    if not isinstance(f._result, list):  # somebody completed it himself
        return children[i].result()
    item = f._result[i]
    if isinstance(item, BaseException):
        raise item
    return item


class Shield:
    """asyncio.shield's two callbacks; held by the inner one, holds the outer one."""

    def __init__(self, inner):
        self.outer = inner._loop.create_future()
        inner.add_done_callback(self.inner_done)
        me = weakref.ref(self)
        inner = weakref.ref(inner)

        def outer_done(outer):
            if me() is not None and inner() is not None and not inner().done():
                inner().remove_done_callback(me().inner_done)

        self.outer_done = outer_done
        self.outer.add_done_callback(outer_done)

    def part(self):
        take_back(self.outer, self.outer_done)

    __del__ = part

    def inner_done(self, inner):
        outer = self.outer
        self.part()
        if outer.done():
            if not inner.cancelled():
                inner.exception()
        elif inner.cancelled():
            outer.cancel()
        else:
            exception = inner.exception()
            if exception is not None:
                outer.set_exception(exception)
            else:
                outer.set_result(inner.result())


def shield(f):
    """asyncio's, but that an outer one that somebody completed himself is left alone (F22), and that
    the two part as soon as the inner one has answered, not one turn later."""
    return f if f.done() else Shield(f).outer


async def cancel_and_wait(fut, loop=None):
    """asyncio's, but for H03: who is cancelled while he waits leaves nothing behind in the queue."""
    ended = asyncio.get_running_loop().create_future()

    def release(fut):
        if not ended.done():
            ended.set_result(None)

    fut.add_done_callback(release)
    try:
        fut.cancel()
        await ended
    finally:
        take_back(fut, release)


asyncio.tasks._cancel_and_wait = cancel_and_wait


async def wait_for_3_12(fut, timeout):
    """W01 to W06, K11, K12: what CPython 3.12 does; 3.11's is another function."""
    if timeout <= 0:
        if fut.done():
            return fut.result()
        await cancel_and_wait(fut)
        try:
            return fut.result()
        except asyncio.CancelledError as e:
            raise TimeoutError from e
    async with asyncio.timeout(timeout):
        return await fut


def wait_for(w, fut, timeout):
    """L14: while the loop is closed it fails at once, like every other await. K16: a pending
    future of another loop is refused at once, and not touched."""
    if w.ending:
        raise GeneratorExit
    if not fut.done() and fut._loop is not w.loop:
        raise WrongLoop
    real = asyncio.wait_for if sys.version_info >= (3, 12) else wait_for_3_12
    return real(fut, timeout).__await__()


# ---- descriptors --------------------------------------------------------------------------------


class Wait(Future):
    """S27, K10: a future for a descriptor and a direction, which asyncio does not have by itself."""

    def __init__(self, io, fd, direction):
        super().__init__(loop=io.loop)
        self.place = (fd, direction)
        (io.loop._add_writer if direction else io.loop._add_reader)(fd, self.set_result, None)

    def leave(self):
        if self.place is not None and not self._loop.is_closed():
            fd, direction = self.place
            (self._loop._remove_writer if direction else self._loop._remove_reader)(fd)
        self.place = None

    def cancel(self, msg=None):
        """S27: it takes effect at once, also on the registration."""
        if not self.done():
            self.leave()
        return super().cancel()


def standing(io, s, direction):
    """Who stands there: a Wait, True for a callback, or None."""
    if io.loop.is_closed():
        return None
    try:
        handle = io.loop._selector.get_key(s.fileno()).data[direction]
    except KeyError:
        return None
    owner = getattr(handle and handle._callback, "__self__", None)
    return owner if isinstance(owner, Wait) else handle and True


def ready(loop, key, direction):
    """L01, S20: the poll itself completes a wait, so the task goes on in this turn; asyncio takes one
    more, in which a callback does the read."""
    try:
        handle = loop._selector.get_key(key.fd).data[direction]
    except KeyError:
        return
    wait = getattr(handle and handle._callback, "__self__", None)
    if isinstance(wait, Wait):
        wait.leave()
        wait.set_result(None)
    elif handle is not None:
        loop._add_callback(handle)


def selector_wait(io, s, direction):
    """K10: the second one who waits for a descriptor and direction is refused."""
    io.loop._check_closed()
    if standing(io, s, direction) is not None:
        raise NotHere
    return Wait(io, s.fileno(), direction)


def add_callback(io, s, direction, n):
    """K10: asyncio would replace the first one."""
    io.loop._check_closed()
    if standing(io, s, direction) is not None:
        raise NotHere
    (io.loop.add_writer if direction else io.loop.add_reader)(s.fileno(), io.ready, n)


def remove_callback(io, s, direction):
    """S04; but a Wait is not taken away. While the loop is being closed what was there can be taken
    away, once."""
    if io.w.ending:
        return io.left.pop((s.fileno(), direction), False)
    if standing(io, s, direction) is not True:
        return False
    return (io.loop.remove_writer if direction else io.loop.remove_reader)(s.fileno())


def before_close(io):
    for s in io.socks:
        for direction in (0, 1):
            if s is not None and standing(io, s, direction) is True:
                io.left[s.fileno(), direction] = True


def sock_close(io, i):
    """S08: whoever waits there is told EBADF; asyncio leaves that to the program."""
    s, io.socks[i] = io.socks[i], None
    for direction in (0, 1):
        wait = standing(io, s, direction)
        if isinstance(wait, Wait):
            wait.leave()
            wait.set_exception(OSError(errno.EBADF, "closed"))
        elif wait:
            (io.loop.remove_writer if direction else io.loop.remove_reader)(s.fileno())
    s.close()


def wait_until(io, i, s, direction):
    f = selector_wait(io, s, direction)
    if direction:
        io.sending[s] = f
    try:
        yield from f
    except BaseException:
        f.cancel()
        raise
    finally:
        if io.sending.get(s) is f:
            del io.sending[s]
    if io.socks[i] is not s:
        raise OSError(errno.EBADF, "closed")


def sock_recv(io, i, n):
    """K10, S29, S30: the task that waited does the read itself, so nothing is lost if it is cancelled;
    while somebody waits, a second one is refused at once."""
    s = io.socks[i]
    if io.loop.is_closed():
        raise GeneratorExit
    if isinstance(standing(io, s, 0), Wait):
        raise NotHere
    if n == 0:
        return b""
    while True:
        try:
            return s.recv(n)
        except BlockingIOError:
            yield from wait_until(io, i, s, 0)


def sock_sendall(io, i, data):
    """K10, S34, likewise; also one who has been woken and has not gone on yet is in the middle."""
    s = io.socks[i]
    if io.loop.is_closed():
        raise GeneratorExit
    if s in io.sending and not io.sending[s].cancelled():
        raise NotHere
    while data:
        try:
            data = data[s.send(data):]
        except BlockingIOError:
            yield from wait_until(io, i, s, 1)
