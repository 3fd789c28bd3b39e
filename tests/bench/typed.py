#!/usr/bin/python3
"""The boot job beside what a person would type, on 1 to 24 disks: typed.sh in User-Mode Linux, as a table.

    typed.py [DISKS...]

A ratio is of one pair, both on the same disks in the same boot; medians and the smallest and the largest of five.
"""

import os
import statistics
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGETS = {1: (0.9, 1.25), 4: (0.9, 1.0), 8: (0.85, 1.0), 24: (0.45, 0.5)}  # assembly alone, the whole job
PAIRS = 5


def pairs(disks):
    """[(typed, typed until udev had settled, the job, the job until udev had settled, its assembly, its readings of the
    metadata)], milliseconds"""
    done = subprocess.run([os.path.join(SOURCE, "tests/uml/run"), os.path.join(SOURCE, "tests/bench/typed.sh"),
                           f"disks={disks}", f"pairs={PAIRS}"], stdout=subprocess.PIPE, text=True, check=False)
    found = [tuple(map(int, line.split()[2:])) for line in done.stdout.splitlines() if line.split()[:1] == ["PAIR"]]
    if done.returncode != 0 or len(found) != PAIRS:
        sys.exit(f"{done.stdout}\ntyped.sh has failed")
    return found


def ratio(part, whole):
    """median, and (smallest, largest)"""
    ratios = [a / b for a, b in zip(part, whole)]
    return f"{statistics.median(ratios):5.2f} ({min(ratios):4.2f} to {max(ratios):4.2f})", statistics.median(ratios)


def main(counts):
    print("The boot job beside `vgcreate; lvcreate; mkfs.xfs -K; mount`, one processor, s (medians of five). Readings: of it,\n"
          "those of the metadata, which are 0.2 s apart so that they can disagree; less: what is left, over typed.")
    print("disks  typed settled   job settled  assembly/typed       target  job/typed            target        readings  less")
    for disks in counts:
        typed, typed_settled, job, job_settled, assembly, readings = zip(*pairs(disks))
        seconds = "  ".join(f"{statistics.median(each) / 1000:5.2f}"
                            for each in (typed, typed_settled, job, job_settled))
        words = []
        for part, target in zip((assembly, job), TARGETS.get(disks, (None, None))):
            text, median = ratio(part, typed)
            words.append(f"{text}  {target or '-':>4} {'' if target is None or median <= target else 'missed':6}")
        less = statistics.median((one - read) / by_hand for one, read, by_hand in zip(job, readings, typed))
        print(f"{disks:5}  {seconds}  {'  '.join(words)}  {statistics.median(readings) / 1000:8.2f}  {less:4.2f}",
              flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or sorted(TARGETS))
