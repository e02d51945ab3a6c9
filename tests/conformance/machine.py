"""A body of a random program, as one real Python generator.

The statements of a body nest (try, loop). They are compiled to a flat list of instructions, and the
generator that runs them does so in a single frame: what is yielded, thrown in and closed is yielded
by, thrown into and closed in that frame, by the interpreter's own machinery.
"""
import asyncio
import errno


class E0(Exception):
    pass


class E1(Exception):
    pass


class E2(Exception):
    pass


class E3(Exception):
    pass


USER = (E0, E1, E2, E3)


class Busy(ValueError):
    def __init__(self):
        ValueError.__init__(self, "generator already executing")


class WrongLoop(Exception):
    pass


class Closed(Exception):
    pass


class Deadlock(Exception):
    pass


class Unknown(Exception):
    """An operation that nobody knows: a broken program file."""


class NotHere(Exception):
    """ERR_BUSY of something that is no generator."""


NAMES = {E0: "E0", E1: "E1", E2: "E2", E3: "E3", GeneratorExit: "ERR_GENERATOR_EXIT",
         asyncio.CancelledError: "ERR_CANCELLED", TypeError: "ERR_TYPE", Busy: "ERR_BUSY",
         asyncio.InvalidStateError: "ERR_INVALID_STATE", asyncio.TimeoutError: "ERR_TIMEOUT",
         TimeoutError: "ERR_TIMEOUT", Closed: "ERR_CLOSED", WrongLoop: "ERR_WRONG_LOOP",
         Deadlock: "ERR_DEADLOCK", NotHere: "ERR_BUSY"}


def name(error):
    """Our name for what Python raised."""
    known = NAMES.get(type(error))
    if known is not None:
        return known
    said = str(error)
    if "a different loop" in said:
        return "ERR_WRONG_LOOP"
    if isinstance(error, ValueError):
        return "ERR_BUSY" if "already executing" in said else "ERR_VALUE"
    if isinstance(error, RuntimeError):
        if "ignored GeneratorExit" in said:
            return "ERR_IGNORED_EXIT"
        if said == "Event loop is closed":
            return "ERR_CLOSED"
        if said.startswith("Cannot run the event loop") or said == "This event loop is already running":
            return "ERR_NESTED"
        return "ERR_RUNTIME"
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode[error.errno]
    return repr(error)


def catches(mask, error):
    """Whether an `except` with that mask would catch the error; as in program.c."""
    if mask == 0:
        return True
    if mask == 1:
        return not isinstance(error, (GeneratorExit, asyncio.CancelledError))
    if mask == 2:
        return isinstance(error, asyncio.CancelledError)
    if mask == 3:
        return isinstance(error, GeneratorExit)
    return mask == 4 and isinstance(error, USER)


# Instructions. A leaf statement is (LEAF, statement); those that suspend have numbers of their own.
(LEAF, TRY, HANDLER, FINALLY, ENDTRY, LOOP, AGAIN, RET, RAISE, END, YIELD, FROM, FRESH) = range(13)

SPECIAL = {"y": YIELD, "df": FROM, "dn": FRESH}


def compile_block(block, code, special):
    for st in block:
        op = st[0]
        if op == "try":
            at = len(code)
            code.append(None)
            compile_block(st[1], code, special)
            code.append((HANDLER,))  # the end of the body without an error
            handler = len(code)
            compile_block(st[3], code, special)
            last = st[4] if len(st) > 4 else ()
            code.append((FINALLY, bool(last)))
            finally_at = len(code) - 1
            compile_block(last, code, special)
            code.append((ENDTRY,))
            code[at] = (TRY, handler, finally_at, st[2])
        elif op == "loop":
            at = len(code)
            code.append(None)
            compile_block(st[2], code, special)
            code.append((AGAIN, at + 1))
            code[at] = (LOOP, st[1], len(code))
        elif op == "ret":
            code.append((RET, st[1]))
        elif op == "raise":
            code.append((RAISE, USER[st[1]]))
        else:
            code.append((special.get(op, LEAF), st))


def compiled(block, special=SPECIAL):
    code = []
    compile_block(block, code, special)
    code.append((END,))
    return code
