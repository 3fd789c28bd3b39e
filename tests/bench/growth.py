#!/usr/bin/python3
"""What a first run costs as work grows: disks, EBS volumes, checks; growth.sh in User-Mode Linux.

    growth.py [FOLDER]      a table, and FOLDER/growth.svg (build/bench)
"""

import os
import statistics
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KINDS = {  # what grows, how far, and what the line "by hand" is
    "disks": ((1, 4, 16, 64), "vgcreate, lvcreate, mkfs.xfs, mount"),
    "ebs": ((1, 4, 16, 64), "dd of 4 KiB from each, one after the other"),
    "checks": ((1, 10, 100), "each run by a shell, one after the other"),
}
NAMES = {"disks": "disks", "ebs": "EBS volumes", "checks": "checks"}
COLOURS = {"job": "#1f4e79", "by hand": "#c0504d"}


def measure(kind, count):
    """Medians of three (where it takes minutes, once): ms by hand, ms of the job, requests, MiB of the agent's own process."""
    rounds = 1 if count > 16 else 3
    done = subprocess.run([os.path.join(SOURCE, "tests/uml/run"), os.path.join(SOURCE, "tests/bench/growth.sh"),
                           f"{kind}={count}", f"rounds={rounds}"], stdout=subprocess.PIPE, text=True, check=False)
    rows = [list(map(int, line.split()[1:])) for line in done.stdout.splitlines() if line.split()[:1] == ["GROWTH"]]
    if done.returncode != 0 or len(rows) != rounds:
        sys.exit(f"{done.stdout}\ngrowth.sh has failed")
    hand, job, requests, memory = (statistics.median(column) for column in zip(*rows))
    return hand, job, requests, memory / 1024


def panel(kind, rows, left, width, top, height):
    """A line for the job, one for the least by hand; seconds over the number, both from zero."""
    most_x = max(count for count, *_ in rows)
    most_y = max(max(hand, job) for _, hand, job, *_ in rows) / 1000
    at = lambda count, ms: (left + count / most_x * width, top + height * (1 - ms / 1000 / most_y))  # noqa: E731
    lines = [f'<text x="{left}" y="{top - 12}">by the number of {NAMES[kind]}</text>',
             f'<path d="M{left} {top}V{top + height}H{left + width}" fill="none" stroke="#888"/>',
             f'<text x="{left - 6}" y="{top + 4}" text-anchor="end">{most_y:.1f}</text>',
             f'<text x="{left - 6}" y="{top + height + 4}" text-anchor="end">0</text>']
    for name, column in (("job", 2), ("by hand", 1)):
        points = [at(row[0], row[column]) for row in rows]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[name]}"/>' for x, y in points]
    for count, *_ in rows:
        lines.append(f'<text x="{at(count, 0)[0]:.0f}" y="{top + height + 16}" text-anchor="middle">{count}</text>')
    return lines


def draw(found):
    top, height, width, gap = 64, 180, 210, 64
    whole = gap + len(found) * (width + gap)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {top + height + 36}" '
             'font-family="sans-serif" font-size="12">',
             '<title>What muster run costs as work grows</title>',
             f'<rect width="{whole}" height="{top + height + 36}" fill="white"/>',
             f'<text x="{gap}" y="22">Seconds: a first <tspan fill="{COLOURS["job"]}">muster run</tspan>, and '
             f'<tspan fill="{COLOURS["by hand"]}">the least by hand</tspan></text>']
    for index, (kind, rows) in enumerate(found.items()):
        lines += panel(kind, rows, gap + index * (width + gap), width, top, height)
    return "\n".join(lines + ["</svg>"]) + "\n"


def main(folder):
    print("A first run as work grows, one processor (medians of three; of the last of each, one)")
    print("             by hand, s    job, s  job/by hand  requests  agent's MiB   each more: by hand  job, ms")
    found = {}
    for kind, (counts, by_hand) in KINDS.items():
        print(f"{kind}, by hand: {by_hand}")
        for count in counts:
            row = (count, *measure(kind, count))
            before = found.setdefault(kind, [])[-1:]
            more = ""
            if before:
                steps = count - before[0][0]
                more = f"{(row[1] - before[0][1]) / steps:18.0f} {(row[2] - before[0][2]) / steps:8.0f}"
            found[kind].append(row)
            _, hand, job, requests, memory = row
            print(f"{count:9}  {hand / 1000:12.2f}  {job / 1000:8.2f}  {job / max(hand, 1):11.2f}  {requests:8.0f}  "
                  f"{memory:11.1f}   {more}", flush=True)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "growth.svg"), "w", encoding="utf-8") as file:
        file.write(draw(found))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(SOURCE, "build", "bench"))
