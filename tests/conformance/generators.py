"""The level of generators, on Python's own. See generators.c."""
from departures import close_value, delegate, is_running, may_delegate
from machine import (AGAIN, END, ENDTRY, FINALLY, FRESH, FROM, HANDLER, LEAF, LOOP, RAISE, RET, TRY,
                     USER, YIELD, Busy, Unknown, catches, compiled, name)

MOST = 24


class Record:
    __slots__ = ("generator", "code", "number", "delegated", "inner", "returned", "kept")


class World:
    def __init__(self, program):
        self.lines = []
        self.budget = 1500
        self.all = []
        self.over = False
        self.codes = [compiled(block) for block in program[1]]
        for i, st in enumerate(program[2]):
            if self.spend():
                self.drive(st)
        self.lines.append("end")
        some = True
        while some:
            some = False
            for x in self.all:
                if x.generator is not None:
                    some = True
                    if not self.held(x):
                        self.release(x)
        self.over = True

    def spend(self):
        if self.budget > 0:
            self.budget -= 1
            return self.budget > 0
        return False

    def pick(self, i):
        if not self.all:
            return None
        x = self.all[i % len(self.all)]
        return x if x.generator is not None else None

    def add(self, i):
        if len(self.all) == MOST or not self.codes:
            self.lines.append("no more")
            return None
        x = Record()
        x.generator = x.inner = x.returned = None
        x.delegated = False
        x.code = self.codes[i % len(self.codes)]
        x.number = len(self.all)
        self.all.append(x)
        return x

    def make(self, x):
        x.generator = body(self, x)

    def held(self, x):
        return any(y.inner is x and delegate(y) is x for y in self.all if y.generator is not None)

    def release(self, x):
        g = x.generator
        if is_running(g):
            self.lines.append("free %d busy" % x.number)
        elif self.held(x):
            self.lines.append("free %d held" % x.number)
        else:
            self.lines.append("free %d" % x.number)
            try:
                g.close()
            except BaseException as e:
                self.lines.append("unraisable " + name(e))
            if x.inner is not None:  # it would not end, and is dropped where it stands
                x.inner.delegated = False
                x.inner = None
            x.kept = g
            x.generator = None

    def drive(self, st):
        """What both bodies and the script can do. Returns the error that came out."""
        op = st[0]
        lines = self.lines
        if op == "new":
            x = self.add(st[1])
            if x is not None:
                self.make(x)
            return None
        if op == "primed":
            x = self.add(st[1])
            if x is None:
                return None
            g = body(self, x)
            try:
                next(g)
                lines.append("primed %d: 1" % x.number)
            except StopIteration:
                lines.append("primed %d: 0" % x.number)
            except BaseException as e:
                lines.append("primed %d: %s" % (x.number, name(e)))
                return e
            x.generator = g
            return None
        x = self.pick(st[1])
        if x is None:
            lines.append("none")
            return None
        g = x.generator
        if op == "state":
            state = ("running" if is_running(g) else "closed" if g.gi_frame is None
                     else "suspended" if g.gi_suspended else "created")
            lines.append("state %d: %s" % (x.number, state))
            return None
        if op == "deleg":
            inner = delegate(x)
            lines.append("delegate of %d: %d" % (x.number, -1 if inner is None else inner.number))
            return None
        if op == "free":
            self.release(x)
            return None
        try:
            if is_running(g):
                raise Busy
            if op == "next":
                value = next(g)
            elif op == "send":
                value = g.send(None if st[2] < 0 else st[2])
            elif op == "throw":
                value = g.throw(GeneratorExit() if st[2] == 9 else USER[st[2]]())
            elif op != "close":
                raise Unknown(op)
            else:
                value = close_value(x, g)
                lines.append("close %d: returned %s" % (x.number, value))
                return None
            lines.append("%s %d: yielded %s" % (op, x.number, value))
        except StopIteration as e:
            lines.append("%s %d: returned %s" % (op, x.number, e.value))
        except (KeyboardInterrupt, Unknown):
            raise
        except BaseException as e:
            lines.append("%s %d: raised %s" % (op, x.number, name(e)))
            return e
        return None


def body(w, me):
    lines = w.lines
    code = me.code
    number = me.number
    lines.append("%d begins" % number)
    pc = 0
    tries = []
    outcomes = []
    loops = []
    while True:
        error = None
        result = None  # (value,) of a return
        try:
            while True:
                ins = code[pc]
                pc += 1
                kind = ins[0]
                if kind >= FINALLY and kind < LOOP or kind == HANDLER or kind == AGAIN or kind == END:
                    pass
                elif not w.spend():
                    result = (None,)
                    break
                if kind == YIELD:
                    value = ins[1][1]
                    value = yield (None if value < 0 else value)
                    lines.append("%d got %s" % (number, value))
                elif kind == LEAF:
                    st = ins[1]
                    e = w.drive(st)
                    if e is not None and st[-1] == 1 and len(st) > 2 and st[0] != "free":
                        raise e
                elif kind == FROM or kind == FRESH:
                    st = ins[1]
                    x = w.pick(st[1]) if kind == FROM else w.add(st[1])
                    if x is None:
                        lines.append("none")
                        continue
                    if kind == FRESH:
                        w.make(x)
                    may_delegate(x)
                    try:
                        x.delegated = True
                        me.inner = x
                        value = yield from x.generator
                    finally:
                        me.inner = None
                        x.delegated = False
                    lines.append("%d delegated: %s" % (number, value))
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
                else:
                    return None
        except BaseException as e:
            if w.over:
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
            me.returned = result[0]
            return result[0]


def run(program):
    return World(program).lines
