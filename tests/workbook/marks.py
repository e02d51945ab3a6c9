"""The exercises in the sources: finding their markers, and putting a stub or another body between.

An exercise stands between two comments inside one function:

    /* EXERCISE 1.3 drive: go in and come back */
    ...
    /* END 1.3 */

Everything that makes a student's tree, or a tree with a mistake in it, begins here.
"""
import glob
import os
import re

OPEN = re.compile(r'^(\s*)/\* EXERCISE (\d+\.\d+) (\w+): (.*\S) \*/\s*$')
CLOSE = re.compile(r'^\s*/\* END (\d+\.\d+) \*/\s*$')
NEARLY = re.compile(r'/\*\s*(EXERCISE|END)\b')
QUALIFIERS = re.compile(r'__attribute__\s*\(\(.*?\)\)|\b(static|inline|_Noreturn|[A-Z][A-Z_]+)\b')
WORD = re.compile(r'[A-Za-z_]\w*')
KEYWORDS = set('int void const struct enum union unsigned signed long short char double float bool size_t '
               'ssize_t return if else for while do switch case static value'.split())


class MarkerError(Exception):
    """What is wrong with a marker, as file:line: sentence."""


class Exercise:
    """One exercise: where it stands, and what stands in it."""

    def __init__(self, number, name, title, path, first, indent):
        self.number, self.name, self.title = number, name, title
        self.path, self.first, self.indent = path, first, indent  # first: index of the opening marker
        self.last = None                                          # index of the closing marker
        self.body = []                                            # the lines between
        self.answer = ''                                          # what the function returns
        self.goes_on = False                                      # code of the function follows
        self.idle = []                                            # names that only the body uses

    @property
    def stage(self):
        return int(self.number.split('.')[0])

    @property
    def key(self):
        return tuple(int(part) for part in self.number.split('.'))

    def stub(self):
        """What a student finds: it reports the exercise, and answers as harmlessly as it can."""
        call = 'exercise_unwritten("%s");' % self.number
        lines = ['(void)%s;' % name for name in self.idle]
        if self.goes_on or self.answer == 'void':
            lines.append(call)
        elif self.answer in ('int', 'ssize_t'):
            lines.append('return ' + call)
        else:
            nothing = 'NULL' if self.answer.endswith('*') else 'false' if self.answer == 'bool' else '0'
            lines += [call, 'return %s;' % nothing]
        return [self.indent + line + '\n' for line in lines]


def without_comments(text):
    return re.sub(r'/\*.*?\*/', ' ', text, flags=re.S)


def declared_names(text):
    """The names that a parameter list or some declarations introduce."""
    names = []
    for piece in re.split(r'[;{}]', text):
        match = re.match(r'\s*(?:(?:const|struct|enum|union|unsigned|static)\s+)*\w+[\s*]+(\w+.*)$', piece, re.S)
        if not match or re.match(r'\s*(return|else|goto)\b', piece):
            continue
        depth, part, parts = 0, '', []
        for char in match.group(1):
            depth += char in '([{'
            depth -= char in ')]}'
            if char == ',' and depth == 0:
                parts.append(part)
                part = ''
            else:
                part += char
        for part in parts + [part]:
            name = WORD.match(part.strip().lstrip('*').strip())
            if name and name.group(0) not in KEYWORDS:
                names.append(name.group(0))
    return names


def look_around(exercise, lines):
    """Fills in what the stub needs to know of the function in which the exercise stands."""
    opening = exercise.first
    while opening >= 0 and lines[opening].rstrip() != '{':
        opening -= 1
    closing = exercise.last
    while closing < len(lines) and lines[closing].rstrip() != '}':
        closing += 1
    if opening < 0 or closing == len(lines):
        raise MarkerError('%s:%d: exercise %s stands in no function'
                          % (exercise.path, exercise.first + 1, exercise.number))
    start = opening
    while start > 0 and lines[start - 1].strip() and not lines[start - 1].rstrip().endswith(('*/', ';', '}')):
        start -= 1
    head = QUALIFIERS.sub(' ', without_comments(' '.join(lines[start:opening])))
    before = without_comments(''.join(lines[opening + 1:exercise.first]))
    after = without_comments(''.join(lines[exercise.last + 1:closing]))
    match = re.match(r'\s*(.*?)(\w+)\s*\((.*)\)\s*$', head, re.S)
    if not match:
        raise MarkerError('%s:%d: cannot read the head of the function of exercise %s'
                          % (exercise.path, opening + 1, exercise.number))
    exercise.answer = ' '.join(match.group(1).split())
    exercise.goes_on = bool(after.strip())
    names = declared_names(';'.join(match.group(3).split(','))) + declared_names(before)
    body = set(WORD.findall(without_comments(''.join(exercise.body))))
    tags = re.compile(r'\b(struct|enum|union)\s+\w+')
    rest = WORD.findall(tags.sub(' ', ' '.join([match.group(3), before, after])))
    exercise.idle = [n for n in dict.fromkeys(names) if n in body and rest.count(n) == 1]


def read(path, name):
    """The lines of a file, and its exercises. `name` is what messages call it."""
    with open(path, encoding='utf-8') as f:
        lines = f.readlines()
    found, current = [], None
    for i, line in enumerate(lines):
        where = '%s:%d: ' % (name, i + 1)
        opened, closed = OPEN.match(line), CLOSE.match(line)
        if opened:
            if current:
                raise MarkerError(where + 'exercise %s begins inside %s' % (opened.group(2), current.number))
            current = Exercise(opened.group(2), opened.group(3), opened.group(3) + ': ' + opened.group(4),
                               name, i, opened.group(1))
        elif closed:
            if not current or current.number != closed.group(1):
                raise MarkerError(where + 'END %s, but %s is open'
                                  % (closed.group(1), current.number if current else 'nothing'))
            current.last = i
            current.body = lines[current.first + 1:i]
            if not ''.join(current.body).strip():
                raise MarkerError(where + 'exercise %s is empty' % current.number)
            look_around(current, lines)
            found.append(current)
            current = None
        elif NEARLY.search(line):
            raise MarkerError(where + 'a malformed marker: ' + line.strip())
    if current:
        raise MarkerError('%s:%d: exercise %s is never closed' % (name, current.first + 1, current.number))
    return lines, found


def read_all(root):
    """All exercises below root, in order."""
    exercises = []
    for path in sorted(glob.glob(os.path.join(glob.escape(root), 'stage0[1-9]_*', '*.[ch]'))):
        exercises += read(path, os.path.relpath(path, root))[1]
    seen = {}
    for e in exercises:
        if e.number in seen:
            raise MarkerError('%s:%d: exercise %s stands also in %s:%d' % (
                e.path, e.first + 1, e.number, seen[e.number].path, seen[e.number].first + 1))
        seen[e.number] = e
        directory = int(re.match(r'stage0(\d)_', e.path).group(1))
        if e.path.endswith('.h') or directory != e.stage:
            raise MarkerError('%s:%d: exercise %s does not belong into this file' % (e.path, e.first + 1, e.number))
    exercises.sort(key=lambda e: e.key)
    return exercises


def with_bodies(root, path, bodies):
    """The text of a source file in which the exercises named in `bodies` have those lines."""
    lines, found = read(os.path.join(root, path), path)
    for e in reversed(found):
        if e.number in bodies:
            lines[e.first + 1:e.last] = bodies[e.number]
    return ''.join(lines)


def knowing_stubs(root, path, text):
    """The same text; where no header on the way declares exercise_unwritten(), with the one that does."""
    seen, todo = set(), re.findall(r'^#include "(\w+\.h)"', text, re.M)
    while todo:
        header = todo.pop()
        found = glob.glob(os.path.join(glob.escape(root), 'stage0*', header))
        if header not in seen and found:
            seen.add(header)
            with open(found[0], encoding='utf-8') as f:
                todo += re.findall(r'^#include "(\w+\.h)"', f.read(), re.M)
    if 'error.h' in seen:
        return text
    return re.sub(r'^(#include "\w+\.h"\n)', r'\1#include "error.h"\n', text, count=1, flags=re.M)
