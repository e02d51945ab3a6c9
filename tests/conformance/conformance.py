"""Runs random programs on the C library and on Python, and compares what they did.

    conformance.py DRIVER --seed N --programs N [--level NAME] [--jobs N]
        --first                                stops at the first difference
        --shrink N                             so many seconds for each difference, not 60
        --show N                               prints the Nth program of each level instead
    conformance.py DRIVER --file FILE          programs from a file; "-" is standard input
"""
import argparse
import gc
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time

import generate

CHUNK = 500
PATIENCE = 60  # seconds for a chunk
SEEDS = 1000000  # so many programs has a seed
sys.setrecursionlimit(20000)  # asyncio cancels along a chain of tasks by recursion


def oracle(program):
    level = program[0]
    if level == 0:
        import generators
        return generators.run(program)
    if level == 5:
        import kernel
        return kernel.run(program)
    import tasks
    return tasks.run(program)


class Trouble(Exception):
    """The driver did not get through."""


def drive_c(driver, lines, flush=False, patience=PATIENCE):
    """The traces of the C library, one for each line; fewer if it crashed, and how it ended."""
    with tempfile.NamedTemporaryFile("w", suffix=".programs") as f:
        f.write("\n".join(lines) + "\n")
        f.flush()
        command = [driver, f.name] + (["--flush"] if flush else [])
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(command, stdout=out, stderr=err)
            try:
                code = process.wait(patience)
                how = "" if code == 0 else "exit %d" % code if code > 0 else "signal %d" % -code
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code, how = -9, "hangs"
            out.seek(0)
            err.seek(0)
            text = out.read().decode(errors="replace")
            said = err.read().decode(errors="replace").strip()
    if code == 2:  # the driver's way to say that it is no program
        raise Trouble(said.replace("conformance: ", ""))
    traces = text.split("#")[1:]
    return [t.split("\n")[1:-1] for t in traces], (how + " " + said).strip() if how else ""


def c_trace(driver, line):
    """What one program does in C; a crash is the last line of the trace."""
    traces, how = drive_c(driver, [line], flush=True, patience=10)
    trace = traces[0] if traces else []
    if how:
        trace = trace + ["*** " + how.replace("\n", " | ")[-300:]]
    return trace


class Hang(KeyboardInterrupt):
    pass


def ring(signal_number, frame):
    raise Hang


def python_trace(program):
    signal.signal(signal.SIGALRM, ring)
    signal.alarm(PATIENCE // 3)
    try:
        return oracle(program)
    except RecursionError:
        return ["*** RecursionError"]
    except Hang:
        return ["*** hangs"]
    finally:
        signal.alarm(0)


def differs(driver, program):
    return c_trace(driver, json.dumps(program)) != python_trace(program)


def compare_chunk(driver, programs, limit=20):
    """Where in the list the programs are on which the two differ, but not many more than `limit`."""
    bad, at = [], 0
    while at < len(programs) and len(bad) < limit:
        lines = [json.dumps(p, separators=(",", ":")) for p in programs[at:]]
        traces, how = drive_c(driver, lines)
        whole = len(lines)
        if how:  # find the one that did it, then go on behind it
            traces, how = drive_c(driver, lines, flush=True)
            if not how:
                raise Trouble("the driver failed once and not again")
            whole = max(len(traces) - 1, 0)
        gc.freeze()  # a collection looks only at what one program has made
        bad += [at + i for i in range(whole) if traces[i:i + 1] != [python_trace(programs[at + i])]]
        if how:
            bad.append(at + whole)
        at += whole + 1
    return bad[:limit]


def work(job):
    driver, level, seed, first, count, limit = job
    gc.disable()
    programs = [generate.make(level, seed * SEEDS + first + i) for i in range(count)]
    bad = [(first + at + 1, programs[at]) for at in compare_chunk(driver, programs, limit)]
    gc.unfreeze()
    gc.collect()
    return level, count, bad


# ---- shrinking ----------------------------------------------------------------------------------

def variants(node, top=True):
    """Smaller versions of a program: parts left out, blocks replaced by their insides."""
    if not isinstance(node, list):
        if isinstance(node, int) and node > 0 and not top:
            yield 0
            if node > 1:
                yield node - 1
        return
    statement = bool(node) and isinstance(node[0], str)
    if not statement and not top:
        n = len(node)
        size = n // 2
        while size >= 1:
            for i in range(0, n, size):
                yield node[:i] + node[i + size:]
            size //= 2
        for i, kid in enumerate(node):
            if isinstance(kid, list) and kid and kid[0] in ("try", "loop"):
                for inner in kid[1:]:
                    if isinstance(inner, list):
                        yield node[:i] + inner + node[i + 1:]
    for i, kid in enumerate(node):
        if (statement or top) and i == 0:
            continue
        for smaller in variants(kid, False):
            yield node[:i] + [smaller] + node[i + 1:]


def shrink(driver, program, seconds):
    until = time.monotonic() + seconds
    again = True
    while again and time.monotonic() < until:
        again = False
        for smaller in variants(program):
            if time.monotonic() > until:
                break
            try:
                if differs(driver, smaller):
                    program = smaller
                    again = True
                    break
            except Exception:
                continue
    return program


def side_by_side(c, python):
    width = max([len(x) for x in c] + [12])
    out = ["    %-*s   %s" % (width, "C", "Python")]
    n = max(len(c), len(python))
    first = 0
    while first < min(len(c), len(python)) and c[first] == python[first]:
        first += 1
    shown = range(n) if n <= 70 else range(max(first - 30, 0), min(first + 30, n))
    for i in shown:
        left = c[i] if i < len(c) else ""
        right = python[i] if i < len(python) else ""
        out.append("%s %-*s   %s" % ("   " if left == right else "-->", width, left, right))
    return "\n".join(out)


def explain(driver, program, seconds):
    program = shrink(driver, program, seconds)
    line = json.dumps(program)
    print("%s\n%s\n" % (line, side_by_side(c_trace(driver, line), python_trace(program))))


# ---- the command --------------------------------------------------------------------------------

def read_programs(path):
    try:
        with open(0 if path == "-" else path, errors="replace") as f:
            lines = [line for line in f if line.strip() and not line.startswith("#")]
    except OSError as e:
        complain("cannot read %s: %s" % (path, e.strerror))
    programs = []
    for i, line in enumerate(lines):
        try:
            program = json.loads(line)
            if not isinstance(program, list) or program[0] not in range(len(generate.LEVELS)):
                raise ValueError
        except (ValueError, IndexError, RecursionError):
            complain("%s: program %d is not readable" % (path, i + 1))
        programs.append(program)
    if not programs:
        complain("%s: there is no program in it" % path)
    return programs


def compare_file(driver, path, programs):
    try:
        return compare_chunk(driver, programs)
    except Trouble as e:
        complain("%s: %s" % (path, e))
    except Exception as e:
        for i, program in enumerate(programs):
            try:
                python_trace(program)
            except Exception:
                complain("%s: program %d: an operand is missing or wrong: %s" % (path, i + 1, e))
        raise


def complain(text):
    sys.stderr.write("conformance: %s\n" % text)
    sys.exit(2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--programs", type=int, default=6000)
    parser.add_argument("--level")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--file")
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--show", type=int)
    parser.add_argument("--shrink", type=int, default=60)
    options = parser.parse_args()
    if options.level and options.level not in generate.LEVELS:
        complain("LEVEL is one of " + " ".join(generate.LEVELS))
    levels = [i for i, name in enumerate(generate.LEVELS)
              if i in generate.MAKERS and options.level in (None, "", name)]
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(3), "big")
    if options.show is not None:
        for level in levels:
            print(json.dumps(generate.make(level, seed * SEEDS + options.show - 1)))
        return 0
    if options.file:
        programs = read_programs(options.file)
        bad = compare_file(options.driver, options.file, programs)
        for at in bad[:5]:
            explain(options.driver, programs[at], options.shrink)
        print("conformance: %d programs of %s, %d differ" % (len(programs), options.file, len(bad)))
        return 1 if bad else 0

    if options.programs == 0:
        complain("PROGRAMS is 0: nothing to compare")
    share = [options.programs // len(levels) + (i < options.programs % len(levels))
             for i in range(len(levels))]
    jobs = [(options.driver, level, seed, at, min(CHUNK, count - at), 1 if options.first else 20)
            for at in range(0, max(share), CHUNK) for level, count in zip(levels, share) if at < count]
    started = time.monotonic()
    done = {level: 0 for level in levels}
    bad = {level: [] for level in levels}
    with multiprocessing.Pool(options.jobs) as pool:
        for level, count, found in pool.imap(work, jobs):
            done[level] += count
            bad[level] += found
            if found and options.first:
                break
    took = time.monotonic() - started
    for level in levels:
        for n, program in bad[level][:2]:
            print("A difference, level %s, program %d of seed %d:" % (generate.LEVELS[level], n, seed))
            explain(options.driver, program, options.shrink)
    failed = sum(len(b) for b in bad.values())
    print("conformance: seed %d: %d programs (%s) in %.1f s, %s"
          % (seed, sum(done.values()), ", ".join("%s %d" % (generate.LEVELS[i], n) for i, n in done.items()),
             took, "no difference" if failed == 0 else "%d DIFFER" % failed))
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as e:
        complain(e)
