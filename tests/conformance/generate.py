"""Makes random programs, one for each number."""
import random

LEVELS = ("generators", "futures", "tasks", "loop", "io", "kernel")


class Maker:
    """A source of random numbers with short names; `weights` are (weight, function) pairs."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, n):
        return int(self.random() * n)

    def chance(self, p):
        return self.random() < p

    def value(self):
        return self.below(7) - 1

    def choose(self, table):
        r = self.random() * table[-1][0]
        for weight, what in table:
            if r < weight:
                return what
        return table[-1][1]


def cumulative(*pairs):
    table, total = [], 0
    for what, weight in pairs:
        total += weight
        table.append((total, what))
    return table


def mask(m):
    return (0, 0, 1, 1, 2, 3, 4)[m.below(7)]


# ---- generators ---------------------------------------------------------------------------------

BODY_0 = cumulative(("y", 30), ("dn", 12), ("df", 8), ("try", 14), ("loop", 4), ("raise", 4), ("ret", 4),
                    ("next", 4), ("send", 4), ("throw", 3), ("close", 3), ("state", 3), ("deleg", 2),
                    ("new", 3), ("primed", 1), ("free", 1))
SCRIPT_0 = cumulative(("new", 8), ("primed", 3), ("next", 22), ("send", 22), ("throw", 16), ("close", 9),
                      ("state", 6), ("deleg", 4), ("free", 3))


def drive_0(m, op, bodies, some):
    if op in ("new", "primed"):
        st = [op, m.below(bodies)]
        if op == "primed":
            st.append(int(m.chance(0.3)))
        return st
    i = m.below(some) if m.chance(0.9) else m.below(24)
    if op == "send":
        return [op, i, m.value(), int(m.chance(0.3))]
    if op == "throw":
        return [op, i, 9 if m.chance(0.25) else m.below(4), int(m.chance(0.3))]
    if op in ("next", "close"):
        return [op, i, int(m.chance(0.3))]
    return [op, i]


def block_0(m, bodies, depth, size):
    block = []
    for _ in range(1 + m.below(size)):
        op = m.choose(BODY_0)
        if op == "y" or depth > 2 and op in ("try", "loop"):
            block.append(["y", m.value()])
        elif op == "try":
            block.append(["try", block_0(m, bodies, depth + 1, 3), mask(m), block_0(m, bodies, depth + 1, 2),
                          block_0(m, bodies, depth + 1, 2) if m.chance(0.6) else []])
        elif op == "loop":
            block.append(["loop", 1 + m.below(3), block_0(m, bodies, depth + 1, 2)])
        elif op == "raise":
            block.append([op, m.below(4)])
        elif op == "ret":
            block.append([op, m.value()])
        elif op == "dn":
            block.append([op, m.below(bodies)])
        elif op == "df":
            block.append([op, m.below(6)])
        else:
            block.append(drive_0(m, op, bodies, 6))
    return block


def generators(m):
    bodies = 2 + m.below(4)
    program = [0, [block_0(m, bodies, 0, 5) for _ in range(bodies)]]
    script = [["new", 0]]
    for _ in range(6 + m.below(14)):
        script.append(drive_0(m, m.choose(SCRIPT_0), bodies, 2))
    program.append(script)
    return program


# ---- futures, tasks, loop -----------------------------------------------------------------------

ACTION_1 = cumulative(("fut", 10), ("set", 8), ("exc", 6), ("setun", 3), ("cancel", 8), ("res", 5), ("err", 4),
                      ("st", 4), ("add", 16), ("rm", 8), ("chain", 5), ("drop", 5))
ACTION_2 = cumulative(("fut", 6), ("set", 7), ("exc", 5), ("setun", 1), ("cancel", 14), ("res", 3), ("err", 2),
                      ("st", 3), ("add", 6), ("rm", 3), ("chain", 2), ("drop", 3), ("task", 12), ("cur", 2))
ACTION_3 = cumulative(("fut", 5), ("set", 5), ("exc", 4), ("setun", 1), ("cancel", 10), ("res", 2), ("err", 2),
                      ("st", 2), ("add", 4), ("rm", 2), ("chain", 2), ("drop", 3), ("task", 8), ("cur", 1),
                      ("soon", 6), ("later", 8), ("at", 2), ("hc", 6), ("when", 2), ("time", 2), ("stop", 2),
                      ("gather", 6), ("item", 3), ("shield", 3), ("once", 0.3), ("until", 0.3),
                      ("forever", 0.2), ("lclose", 0.3))
BODY_2 = cumulative(("aw", 24), ("yn", 12), ("try", 14), ("loop", 3), ("raise", 4), ("ret", 4), ("dn", 6), ("y", 2),
                    ("yf", 5), ("act", 30))
BODY_3 = cumulative(("aw", 20), ("yn", 8), ("try", 14), ("loop", 3), ("raise", 4), ("ret", 3), ("dn", 5), ("y", 1),
                    ("yf", 2), ("sleep", 10), ("wf", 14), ("act", 28))


class Shape:
    """How large the parts of a program are, and what it may contain."""

    def __init__(self, level, callbacks, bodies, slots, actions, statements):
        self.level, self.callbacks, self.bodies, self.slots = level, callbacks, bodies, slots
        self.actions, self.statements = actions, statements


def slot(m, shape):
    r = m.random()
    return 9 if r < 0.02 else m.below(shape.slots)


def action(m, shape, op=None):
    op = op or m.choose(shape.actions)
    if op in ("fut", "cancel", "res", "err", "st", "drop", "until"):
        return [op, slot(m, shape)]
    if op in ("set", "setun"):
        return [op, slot(m, shape), m.value()]
    if op == "exc":
        return [op, slot(m, shape), m.below(4)]
    if op in ("add", "rm"):
        return [op, slot(m, shape), m.below(shape.callbacks)]
    if op in ("chain", "shield"):
        return [op, slot(m, shape), slot(m, shape)]
    if op == "task":
        return [op, -1 if m.chance(0.15) else slot(m, shape), m.below(shape.bodies)]
    if op == "soon":
        return [op, m.below(6), m.below(shape.callbacks)]
    if op in ("later", "at"):
        return [op, m.below(6), m.below(7) - 1, m.below(shape.callbacks)]
    if op in ("hc", "when"):
        return [op, m.below(6)]
    if op == "gather":
        return [op, slot(m, shape), m.below(2), [slot(m, shape) for _ in range(m.below(5))]]
    if op == "item":
        return [op, slot(m, shape), m.below(4)]
    if shape.level == 4:
        return io_action(m, op)
    return [op]


def statement(m, shape, depth):
    op = m.choose(shape.statements)
    if op == "act" or depth > 2 and op in ("try", "loop"):
        return action(m, shape)
    if op == "try":
        return ["try", statements(m, shape, depth + 1, 3), (0, 1, 1, 2, 2, 2, 3, 4)[m.below(8)],
                statements(m, shape, depth + 1, 2), statements(m, shape, depth + 1, 2) if m.chance(0.4) else []]
    if op == "loop":
        return ["loop", 1 + m.below(3), statements(m, shape, depth + 1, 2)]
    if op == "raise":
        return [op, m.below(4)]
    if op == "ret":
        return [op, m.value()]
    if op == "dn":
        return [op, m.below(shape.bodies)]
    if op == "y":
        return [op, m.value()]
    if op in ("aw", "yf"):
        return [op, slot(m, shape)]
    if op == "sleep":
        return [op, m.below(6) - 1]
    if op == "wf":
        return [op, slot(m, shape), m.below(6) - 1]
    if shape.level == 4:
        return io_statement(m, op)
    return [op]


def statements(m, shape, depth, size):
    return [statement(m, shape, depth) for _ in range(1 + m.below(size))]


def callback(m, shape):
    block = [action(m, shape) for _ in range(m.below(4))]
    if m.chance(0.12):
        block.append(["raise", m.below(4)])
    return block


def futures(m):
    shape = Shape(1, 2 + m.below(3), 0, 3 + m.below(3), ACTION_1, None)
    script = [["fut", i] for i in range(shape.slots)]
    for _ in range(8 + m.below(20)):
        script.append(["once"] if m.chance(0.15) else action(m, shape))
    if m.chance(0.2):
        script.insert(m.below(len(script)), ["lclose"])
    return [1, [callback(m, shape) for _ in range(shape.callbacks)], [], script]


def tasks(m):
    shape = Shape(2, 1 + m.below(3), 2 + m.below(3), 4 + m.below(4), ACTION_2, BODY_2)
    script = [["fut" if m.chance(0.5) else "task", i] for i in range(shape.slots)]
    for st in script:
        if st[0] == "task":
            st.append(m.below(shape.bodies))
    for _ in range(8 + m.below(16)):
        script.append(["once"] if m.chance(0.3) else action(m, shape))
    if m.chance(0.1):
        script.insert(m.below(len(script)), ["lclose"])
    return [2, [callback(m, shape) for _ in range(shape.callbacks)],
            [statements(m, shape, 0, 5) for _ in range(shape.bodies)], script]


def many_timers(m, callback):
    """So many that the heap has three levels, and some are taken out of its middle."""
    made = 10 + m.below(21)
    script = [["later", i, 1 + m.below(40), callback] for i in range(made)]
    return script + [["hc", m.below(made)] for _ in range(1 + m.below(8))] + [["forever"]]


def loop(m):
    shape = Shape(3, 1 + m.below(3), 2 + m.below(3), 4 + m.below(4), ACTION_3, BODY_3)
    script = [["fut" if m.chance(0.4) else "task", i] for i in range(shape.slots)]
    for st in script:
        if st[0] == "task":
            st.append(m.below(shape.bodies))
    for _ in range(8 + m.below(12)):
        r = m.random()
        if r < 0.15:
            script.append(["once"])
        elif r < 0.3:
            script.append(["until", slot(m, shape)])
        elif r < 0.38:
            script.append(["forever"])
        else:
            script.append(action(m, shape))
    if m.chance(0.1):
        script.insert(m.below(len(script)), ["lclose"])
    callbacks = [callback(m, shape) for _ in range(shape.callbacks)]
    if m.chance(0.1):
        at = m.below(len(script))
        script[at:at] = many_timers(m, len(callbacks))
        callbacks.append([["time"]])
    return [3, callbacks,
            [statements(m, shape, 0, 5) for _ in range(shape.bodies)], script]


# ---- I/O ----------------------------------------------------------------------------------------

ACTION_4 = cumulative(("fut", 3), ("set", 4), ("exc", 2), ("cancel", 12), ("res", 1), ("st", 1), ("add", 3),
                      ("drop", 2), ("task", 6), ("soon", 5), ("hc", 2), ("gather", 2), ("addr", 8), ("addw", 6),
                      ("rmr", 8), ("rmw", 6), ("shut", 2), ("sclose", 2))
BODY_4 = cumulative(("aw", 6), ("yn", 10), ("try", 14), ("loop", 5), ("raise", 2), ("ret", 3), ("dn", 3), ("rd", 6),
                    ("wr", 4), ("recv", 22), ("sendall", 22), ("act", 20))


def io_action(m, op):
    if op in ("addr", "addw"):
        return [op, m.below(4), m.below(3)]
    return [op, m.below(4)]


def io_statement(m, op):
    if op == "recv":
        return [op, m.below(4), (0, 1, 2, 5, 5, 5, 1000, 400000)[m.below(8)]]
    if op == "sendall":
        return [op, m.below(4), (0, 1, 2, 3, 3, 5, 400000, 400000)[m.below(8)]]
    return [op, m.below(4)]


def io(m):
    shape = Shape(4, 1 + m.below(3), 2 + m.below(3), 3 + m.below(4), ACTION_4, BODY_4)
    script = [["task", i, m.below(shape.bodies)] for i in range(shape.slots)]
    for _ in range(6 + m.below(10)):
        script.append(["turns", 1 + m.below(4)] if m.chance(0.45) else action(m, shape))
    script.append(["turns", 10])
    if m.chance(0.1):
        script.insert(m.below(len(script)), ["lclose"])
    return [4, [callback(m, shape) for _ in range(shape.callbacks)],
            [statements(m, shape, 0, 5) for _ in range(shape.bodies)], script, m.below(2)]


# ---- the kernel ---------------------------------------------------------------------------------

BODY_5 = cumulative(("y", 8), ("gettid", 5), ("knew", 8), ("kill", 9), ("wait", 10), ("kyield", 12), ("sub", 12),
                    ("dn", 4), ("try", 16), ("loop", 4), ("raise", 4), ("ret", 4))
BODY_5_IO = cumulative(("y", 5), ("gettid", 2), ("knew", 5), ("kill", 8), ("wait", 6), ("kyield", 8), ("sub", 8),
                       ("dn", 3), ("try", 14), ("loop", 4), ("raise", 3), ("ret", 3), ("kread", 12), ("kwrite", 5),
                       ("kfeed", 8), ("kdrain", 8), ("kforget", 1.5))


def block_5(m, bodies, pipes, depth, size):
    block = []
    for _ in range(1 + m.below(size)):
        op = m.choose(BODY_5_IO if pipes else BODY_5)
        if depth > 2 and op in ("try", "loop"):
            op = "kyield"
        if op == "try":
            block.append(["try", block_5(m, bodies, pipes, depth + 1, 3), mask(m),
                          block_5(m, bodies, pipes, depth + 1, 2),
                          block_5(m, bodies, pipes, depth + 1, 2) if m.chance(0.5) else []])
        elif op == "loop":
            block.append(["loop", 1 + m.below(3), block_5(m, bodies, pipes, depth + 1, 2)])
        elif op == "raise":
            block.append([op, m.below(4)])
        elif op in ("y", "ret"):
            block.append([op, m.value()])
        elif op in ("knew", "sub", "dn"):
            block.append([op, m.below(bodies)])
        elif op in ("kill", "wait"):
            block.append([op, 1 + m.below(9)])
        elif op in ("gettid", "kyield"):
            block.append([op])
        else:
            block.append([op, m.below(2)])
    return block


def kernel(m):
    bodies = 2 + m.below(4)
    pipes = m.below(3) if m.chance(0.5) else 0
    script = [["spawn", i] for i in range(bodies)] + [["krun"]]
    for _ in range(m.below(3)):
        script.append(["spawn", m.below(bodies)])
        if m.chance(0.6):
            script.append(["krun"])
    return [5, [block_5(m, bodies, pipes, 0, 5) for _ in range(bodies)], script, pipes]


MAKERS = {0: generators, 1: futures, 2: tasks, 3: loop, 4: io, 5: kernel}


def make(level, number):
    return MAKERS[level](Maker(number * 8 + level))
