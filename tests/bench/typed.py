#!/usr/bin/python3
"""The boot job beside what a person would type, on 1 to 24 disks: typed.sh as a table.

    typed.py uml|ami [1|4|8|24...]   in User-Mode Linux (one processor), or in QEMU (two, systemd, NVMe over TCP)

A ratio is of one pair, both on the same disks in the same boot; medians, and the smallest and the largest.
"""

import os
import statistics
import subprocess
import sys

import targets

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGETS = {1: (0.9, 1.25), 4: (0.9, 1.0), 8: (0.85, 1.0), 24: (0.45, 0.5)}  # assembly alone, the whole job
MACHINES = {"uml": ("the test kernel, one processor", 5, (1, 4, 8, 24)),
            "ami": ("QEMU, two emulated processors, systemd, NVMe over TCP", 3, (1, 8))}  # pairs; disks


def pairs(machine, disks, count):
    """[(typed, typed until udev had settled, the job, the job until udev had settled, its assembly, its readings of the
    metadata)], milliseconds. In the first pair the kernel loads its modules: it is not counted."""
    done = subprocess.run([os.path.join(SOURCE, "tests", machine, "run"), os.path.join(SOURCE, "tests/bench/typed.sh"),
                           f"disks={disks}", f"pairs={count + 1}"], stdout=subprocess.PIPE, text=True, check=False)
    found = [tuple(map(int, line.split()[2:])) for line in done.stdout.splitlines() if line.split()[:1] == ["PAIR"]]
    if done.returncode != 0 or len(found) != count + 1:
        sys.exit(f"{done.stdout}\ntyped.sh has failed")
    return found[1:]


def ratio(part, whole):
    """median, and (smallest, largest)"""
    ratios = [a / b for a, b in zip(part, whole)]
    return f"{statistics.median(ratios):5.2f} ({min(ratios):4.2f} to {max(ratios):4.2f})", statistics.median(ratios)


def main(machine, counts):
    where, count, usual = MACHINES[machine]
    print(f"The boot job beside `vgcreate; lvcreate; mkfs.xfs -K; mount`, in {where}: s, medians of {count}.\n"
          "Readings: of it, those of the metadata, 0.2 s apart so that they can disagree; less: what is left, over typed.")
    print("disks  typed settled   job settled  assembly/typed       target  job/typed            target        readings  less")
    for disks in counts or usual:
        typed, typed_settled, job, job_settled, assembly, readings = zip(*pairs(machine, disks, count))
        seconds = "  ".join(f"{statistics.median(each) / 1000:5.2f}"
                            for each in (typed, typed_settled, job, job_settled))
        words = []
        for name, part, target in zip(("assembly", "whole job"), (assembly, job), TARGETS[disks]):
            text, median = ratio(part, typed)
            met = median <= target
            words.append(f"{text}  {target:>4} {'' if met else 'missed':6}")
            targets.note(f"A {name} over typed, {disks} disks, {where.split(',')[0]}", median, target, met)
        less = statistics.median((one - read) / by_hand for one, read, by_hand in zip(job, readings, typed))
        print(f"{disks:5}  {seconds}  {'  '.join(words)}  {statistics.median(readings) / 1000:8.2f}  {less:4.2f}",
              flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] not in [[name] for name in MACHINES] or not set(sys.argv[2:]) <= set(map(str, TARGETS)):
        sys.exit(__doc__)
    main(sys.argv[1], [int(word) for word in sys.argv[2:]])
