#!/usr/bin/python3
"""What was to be reached and what was, by all the benchmarks of one run.

    targets.py      the table of the file that MUSTER_TARGETS names; its lines are noted by the benchmarks
"""

import os
import sys


def note(what, found, target, met):
    path = os.environ.get("MUSTER_TARGETS")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{what}\t{found:.3f}\t{target:.4g}\t{'met' if met else 'missed'}\n")


def main():
    if "MUSTER_TARGETS" not in os.environ:
        sys.exit(__doc__)
    with open(os.environ["MUSTER_TARGETS"], encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    missed = sum(row[3] == "missed" for row in rows)
    print(f"{'All targets: at most':90} {'found':>8} {'target':>7}")
    for what, found, target, verdict in rows:
        print(f"   {what:87} {found:>8} {target:>7}  {'' if verdict == 'met' else verdict}".rstrip())
    print(f"{len(rows) - missed} of {len(rows)} met")


if __name__ == "__main__":
    main()
