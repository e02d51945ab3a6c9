#!/usr/bin/env python3
"""Draws what `make bench` measured: report.py LINES SAMPLES OUT writes one self-contained page.

Bars are medians, on a log axis because contestants are up to a thousand times apart; the whisker
spans the middle half of the slices. Ours is drawn in the accent colour.
"""
import html
import math
import statistics
import sys

GOALS = {
    "switch/fcontext": 0.4, "switch-1000/fcontext": 0.7, "yield-from-depth512/depth1": 1.1,
    "create/fcontext": 1.0, "callbacks-chain/libev": 0.8, "callbacks-batch/libev": 0.5,
    "timer-add/libev": 0.7, "timer-run/libev": 0.7, "timer-cancel/timer-run": 0.1,
    "pingpong/go": 0.15, "spawn/go": 0.25,
    "echo50/epoll": 1.05, "echo900/epoll": 1.05, "echo5000/epoll": 1.05, "echo50/select": 1.05,
    "echo900/select": 1.05, "echo900/libuv": 1.0, "echo900/libev": 1.0, "echo900/go": 1.0,
    "xml/expat": 1.05,
}
LIMITS = {"memory.generator": 4300, "memory.task": 4400, "memory.mappings": 100}
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1f24; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.05rem; margin: 2rem 0 .3rem }
table { border-collapse: collapse } td, th { padding: .15rem .8rem .15rem 0; text-align: left }
td.n { text-align: right; font-variant-numeric: tabular-nums }
.ok { color: #1a7f37 } .miss { color: #b42318; font-weight: 600 } .note { color: #59636e }
svg text { font: 13px system-ui, sans-serif; fill: #1b1f24 }
.ours { fill: #0b6bcb } .them { fill: #a9b4c0 } .whisker { stroke: #1b1f24; stroke-width: 1.5 }
.line { fill: none; stroke: #0b6bcb; stroke-width: 1.5 }
.grid { stroke: #dde3e9 } svg text.tick { font-size: 11px; fill: #59636e }
@media (prefers-color-scheme: dark) {
  body { background: #14171a; color: #e6e9ec } svg text { fill: #e6e9ec } .whisker { stroke: #e6e9ec }
  .them { fill: #5b6672 } .ours { fill: #4ea1f3 } .grid { stroke: #2b3138 }
  .note, svg text.tick { color: #9aa4ae; fill: #9aa4ae } .ok { color: #4ac26b } .miss { color: #ff7b72 }
}"""


def read(lines_path, samples_path):
    ratios, figures, skips, groups = {}, [], [], {}
    with open(lines_path, encoding="utf-8") as lines:
        for line in lines:
            kind, _, rest = line.strip().partition(" ")
            if kind == "ratio":
                name, value = rest.split()
                ratios[name] = float(value)
            elif kind == "figure":
                name, value, unit = rest.split(" ", 2)
                figures.append((name, float(value), unit))
            elif kind == "skip":
                skips.append(rest)
    try:
        with open(samples_path, encoding="utf-8") as samples:
            for line in samples:
                name, label, value = line.rstrip("\n").split("\t")
                stem = name.split("/")[0]
                groups.setdefault(stem, {}).setdefault(label, []).append(float(value))
    except FileNotFoundError:
        pass
    return ratios, figures, skips, groups


def text_of(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def chart(sides):
    """One group of bars as SVG. sides: {label: [nanoseconds]}"""
    rows = []
    for label, values in sides.items():
        quarter = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
        rows.append((label, statistics.median(values), quarter[0], quarter[2]))
    rows.sort(key=lambda row: row[1])
    low = math.floor(math.log10(min(row[2] for row in rows)))
    high = math.log10(max(row[3] for row in rows)) * 1.0 + 0.05
    high = max(high, low + 1)
    left, width, step = 150, 560, 28
    height = len(rows) * step + 24

    def x(value):
        return left + max(0.0, (math.log10(value) - low) / (high - low)) * width
    out = [f'<svg viewBox="0 0 800 {height}" width="100%" role="img">']
    for power in range(low, math.floor(high) + 1):
        at = x(10.0 ** power)
        out.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height - 18}"/>'
                   f'<text class="tick" x="{at:.1f}" y="{height - 5}" text-anchor="middle">'
                   f'{10.0 ** power:g} ns</text>')
    for i, (label, middle, q1, q3) in enumerate(rows):
        y = i * step + 4
        kind = "ours" if label.startswith(("ours", "depth")) else "them"
        out.append(
            f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{html.escape(label)}</text>'
            f'<rect class="{kind}" x="{left}" y="{y}" width="{x(middle) - left:.1f}" height="20" rx="2"/>'
            f'<line class="whisker" x1="{x(q1):.1f}" x2="{x(q3):.1f}" y1="{y + 10}" y2="{y + 10}"/>'
            f'<text x="{x(max(middle, q3)) + 6:.1f}" y="{y + 15}">{text_of(middle)}</text>')
    out.append("</svg>")
    return "".join(out)


def growth_chart(lines):
    """Lines over the number of things, both axes logarithmic. lines: {name: [(n, nanoseconds)]}"""
    points = [point for line in lines.values() for point in line]
    left, width, top, height = 60, 560, 10, 300
    x_low, x_high = (math.log10(f(n for n, _ in points)) for f in (min, max))
    y_low = math.floor(math.log10(min(ns for _, ns in points)))
    y_high = math.ceil(math.log10(max(ns for _, ns in points)))

    def x(n):
        return left + (math.log10(n) - x_low) / (x_high - x_low or 1) * width

    def y(ns):
        return top + (y_high - math.log10(ns)) / (y_high - y_low or 1) * height
    out = [f'<svg viewBox="0 0 800 {height + 40}" width="100%" role="img">']
    for power in range(y_low, y_high + 1):
        at = y(10.0 ** power)
        out.append(f'<line class="grid" x1="{left}" x2="{left + width}" y1="{at:.1f}" y2="{at:.1f}"/>'
                   f'<text class="tick" x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">'
                   f'{10.0 ** power:g} ns</text>')
    for n in sorted({n for n, _ in points}):
        out.append(f'<text class="tick" x="{x(n):.1f}" y="{top + height + 18}" '
                   f'text-anchor="middle">{n:,}</text>')
    labels = sorted((y(line[-1][1]), name) for name, line in lines.items())
    last = -100.0
    for at, name in labels:
        line = lines[name]
        path = " ".join(f"{x(n):.1f},{y(ns):.1f}" for n, ns in line)
        last = max(at, last + 15)
        out.append(f'<polyline class="line" points="{path}"/>')
        out.extend(f'<circle class="ours" cx="{x(n):.1f}" cy="{y(ns):.1f}" r="3"/>' for n, ns in line)
        out.append(f'<text x="{left + width + 10}" y="{last + 4:.1f}">{html.escape(name)} '
                   f'{text_of(line[-1][1])}</text>')
    out.append("</svg>")
    return "".join(out)


def page(ratios, figures, skips, groups):
    out = ['<!doctype html><html lang="en"><meta charset="utf-8"><title>Benchmarks</title>'
           '<meta name="viewport" content="width=device-width">'
           f'<style>{STYLE}</style><h1>From Yield to Select: what it costs</h1>'
           '<p class="note">Ours in blue. Contestants took turns in one run on one core; bars are '
           'medians on a log axis, the line across a bar spans the middle half of the slices. Only '
           'the ratios mean something on another machine.</p>']
    if ratios:
        out.append("<h2>Ratios (ours / theirs, smaller is better)</h2><table>"
                   "<tr><th>what<th>ratio<th>to reach<th></tr>")
        for name, value in ratios.items():
            goal = GOALS.get(name)
            verdict = "" if goal is None else \
                '<span class="ok">reached</span>' if value <= goal else '<span class="miss">missed</span>'
            out.append(f'<tr><td>{html.escape(name)}<td class="n">{value:.3f}'
                       f'<td class="n">{"" if goal is None else goal}<td>{verdict}</tr>')
        out.append("</table>")
    for stem, sides in groups.items():
        out.append(f"<h2>{html.escape(stem)}, nanoseconds</h2>{chart(sides)}")
    grown = {}
    for name, value, _ in figures:
        if name.startswith("growth."):
            _, what, n = name.split(".")
            grown.setdefault(what, []).append((int(n), value))
    if grown:
        out.append("<h2>How it grows: nanoseconds for one, of so many</h2>" + growth_chart(grown))
    rest = [f for f in figures if f[2] != "ns" or f[0].startswith("memory")]
    if rest:
        out.append("<h2>Figures</h2><table>")
        for name, value, unit in rest:
            limit = LIMITS.get(name)
            note = "" if limit is None else f"at most {limit:,}"
            out.append(f'<tr><td>{html.escape(name)}<td class="n">{text_of(value)}'
                       f"<td>{html.escape(unit)}<td>{note}</tr>")
        out.append("</table>")
    if skips:
        out.append("<h2>Not measured</h2><ul>")
        out.extend(f"<li>{html.escape(skip)}</li>" for skip in skips)
        out.append("</ul>")
    return "".join(out)


def main():
    lines_path, samples_path, target = sys.argv[1:]
    text = page(*read(lines_path, samples_path))
    with open(target, "w", encoding="utf-8") as file:
        file.write(text)


main()
