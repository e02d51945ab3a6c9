"""Runs the checks of a stage on the reference with some bodies exchanged, and as cheaply as possible:
everything else was compiled before, so one object is compiled, one program linked, one stage run.
"""
import atexit
import glob
import os
import re
import shlex
import shutil
import subprocess
import threading

import marks

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FIXTURES = {1: ['fixture_none'], 2: ['fixture_queue'], 3: ['fixture_queue'],
            4: ['fixture_loop', 'virtual_clock'], 5: ['fixture_loop', 'virtual_time']}
FLAGS = '-std=c11 -D_GNU_SOURCE -O1 -g1 -pthread -w'.split()


class Outcome:
    """What became of one run."""

    def __init__(self, compiled, rows=(), card='', hung=False):
        self.compiled, self.rows, self.card, self.hung = compiled, list(rows), card, hung

    @property
    def failures(self):
        return [r for r in self.rows if r['verdict'] not in ('passed', 'skipped')]

    @property
    def passed(self):
        return self.compiled and not self.hung and bool(self.rows) and not self.failures

    @property
    def blamed(self):
        """The exercise that the card names: as a student sees it."""
        match = re.search(r'^(?:FAILED )?(\d\.\d+) ?(?:is not written|.*)', '\n'.join(
            line for line in self.card.splitlines() if re.match(r'(FAILED )?\d\.\d+', line)))
        return match.group(1) if match else 'given code' if 'given code' in self.card else None


class Lab:
    """All objects of the reference, and a place in which to exchange some."""

    def __init__(self, jobs=1):
        self.cc = shlex.split(os.environ.get('CC') or 'cc')
        self.base = os.path.join(ROOT, 'build', 'lab')
        self.places = [os.path.join(self.base, 'place%d.%d' % (os.getpid(), i)) for i in range(jobs)]
        self.free = list(self.places)
        self.lock = threading.Semaphore(jobs)
        self.guard = threading.Lock()
        pkg = subprocess.run(['pkg-config', '--static', '--libs', 'check'], stdout=subprocess.PIPE, text=True, check=True)
        self.libs = pkg.stdout.split() + ['-lm']
        self.stage_dirs = sorted(os.path.basename(d) for d in glob.glob(os.path.join(glob.escape(ROOT), 'stage0*')))
        self.includes = ['-I' + os.path.join(ROOT, d) for d in self.stage_dirs] + ['-I' + os.path.join(ROOT, 'tests/harness')]
        self.sources = self.find('stage0*/*.c')
        self.exercises = marks.read_all(ROOT)
        self.by_number = {e.number: e for e in self.exercises}
        self.suites = {n: [] for n in FIXTURES}
        for path in self.find('tests/test_*.c'):
            with open(os.path.join(ROOT, path), encoding='utf-8') as f:
                for n in set(re.findall(r'^SUITE(?:_ON_FIXTURE)?\(\w+, (\d)', f.read(), re.M)):
                    self.suites[int(n)].append(path)
        self.harness = [p for p in self.find('tests/harness/*.c') if not re.search(r'/(fixture|virtual)_', p)]
        self.compile_all()
        self.libraries = {n: self.archive(n) for n in FIXTURES}
        for place in self.places:
            atexit.register(shutil.rmtree, place, ignore_errors=True)
            for d in self.stage_dirs:
                os.makedirs(os.path.join(place, d))
            for s in self.sources:
                os.symlink(os.path.join(ROOT, s), os.path.join(place, s))

    @staticmethod
    def find(pattern):
        return sorted(os.path.relpath(p, ROOT) for p in glob.glob(os.path.join(glob.escape(ROOT), pattern)))

    def object_of(self, source):
        return os.path.join(self.base, 'reference', source[:-2] + '.o')

    def compile(self, source, out, cwd=ROOT):
        os.makedirs(os.path.dirname(out), exist_ok=True)
        return subprocess.run(self.cc + FLAGS + self.includes + ['-c', source, '-o', out], cwd=cwd,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def compile_all(self):
        newest = max(os.path.getmtime(os.path.join(ROOT, h)) for h in self.find('stage0*/*.h') + self.find('tests/harness/*.h'))
        for source in self.sources + self.find('tests/test_*.c') + self.find('tests/harness/*.c'):
            out = self.object_of(source)
            if not os.path.exists(out) or os.path.getmtime(out) < max(newest, os.path.getmtime(os.path.join(ROOT, source))):
                done = self.compile(source, '%s.%d' % (out, os.getpid()))
                if done.returncode != 0:
                    raise SystemExit('%s does not compile:\n%s' % (source, done.stderr))
                os.rename('%s.%d' % (out, os.getpid()), out)

    def archive(self, stage):
        """Everything of a stage's program that never changes."""
        fixed = self.suites[stage] + self.harness + ['tests/harness/%s.c' % f for f in FIXTURES[stage]]
        names = set()
        for path in self.harness + ['tests/harness/%s.c' % f for f in FIXTURES[stage]]:
            with open(os.path.join(ROOT, path), encoding='utf-8') as f:
                names |= set(re.findall(r'__wrap_([a-z0-9_]+)', f.read()))
        out = os.path.join(self.base, 'checks%d.%d.o' % (stage, os.getpid()))
        atexit.register(lambda: os.path.exists(out) and os.unlink(out))
        subprocess.run(['ld', '-r', '-o', out] + [self.object_of(s) for s in fixed], check=True)
        return [out], ['-Wl,--wrap=' + n for n in sorted(names)]

    def run(self, stage, changed, exercise=None, card=True, limit=60):
        """Runs stage N (or only the checks of one exercise) with other texts in some files: {path: text}."""
        with self.lock:
            with self.guard:
                place = self.free.pop()
            try:
                return self.run_in(place, stage, changed, exercise, card, limit)
            finally:
                with self.guard:
                    self.free.append(place)

    def run_in(self, place, stage, changed, exercise, card, limit):
        objects = []
        program, results = os.path.join(place, 'check_stage%d' % stage), os.path.join(place, 'results')
        for file in (program, results):
            if os.path.exists(file):
                os.unlink(file)
        try:
            for path, text in changed.items():
                os.unlink(os.path.join(place, path))
                with open(os.path.join(place, path), 'w', encoding='utf-8') as f:
                    f.write(text)
                out = os.path.join(place, 'changed_' + os.path.basename(path)[:-2] + '.o')
                if self.compile(path, out, place).returncode != 0:
                    return Outcome(False)
                objects.append(out)
            fixed, wraps = self.libraries[stage]
            rest = [self.object_of(s) for s in self.sources if int(s[6]) <= stage and s not in changed]
            linked = subprocess.run(self.cc + ['-pthread'] + wraps + ['-o', program] + fixed + objects + rest + self.libs,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if linked.returncode != 0:
                return Outcome(False)
            command = [program, '--card' if card else '--quiet', '--results', results]
            command += ['--exercise', exercise] if exercise else ['--stage', str(stage)]
            environment = dict(os.environ, SEED='1', NO_COLOR='1', CK_FORK='yes')
            child = subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True,
                                     errors='replace', start_new_session=True)
            try:
                text, _ = child.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, 9)
                child.communicate()
                return Outcome(True, hung=True)
            return Outcome(True, self.read(results), text)
        finally:
            for path in changed:
                if os.path.lexists(os.path.join(place, path)):
                    os.unlink(os.path.join(place, path))
                os.symlink(os.path.join(ROOT, path), os.path.join(place, path))

    @staticmethod
    def read(results):
        names = ['stage', 'suite', 'check', 'kind', 'exercise', 'verdict', 'unwritten']
        rows = []
        if os.path.exists(results):
            with open(results, encoding='utf-8') as f:
                rows = [dict(zip(names, line.rstrip('\n').split('\t'))) for line in f if not line.startswith('total')]
        return rows

    def checks(self, stage):
        """The declarations: name of a check -> its exercise and those that it needs."""
        outcome = {}
        fixed, wraps = self.libraries[stage]
        program = os.path.join(self.base, 'list_stage%d.%d' % (stage, os.getpid()))
        rest = [self.object_of(s) for s in self.sources if int(s[6]) <= stage]
        subprocess.run(self.cc + ['-pthread'] + wraps + ['-o', program] + fixed + rest + self.libs, check=True)
        listing = subprocess.run([program, '--list'], stdout=subprocess.PIPE, text=True, check=True).stdout
        os.unlink(program)
        for line in listing.splitlines():
            part = line.split('\t')
            outcome[(part[1], part[2])] = (part[4], part[5].split())
        return outcome

    def with_body(self, exercise, lines):
        """{path: text} in which one exercise has another body."""
        return {exercise.path: marks.with_bodies(ROOT, exercise.path, {exercise.number: lines})}

    def with_stub(self, exercise):
        text = marks.with_bodies(ROOT, exercise.path, {exercise.number: exercise.stub()})
        return {exercise.path: marks.knowing_stubs(ROOT, exercise.path, text)}
