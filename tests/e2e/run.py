#!/usr/bin/python3
"""Runs the tests here, several at once: most of their time is waiting.

    tests/e2e/run.py [-j N] [--list] [WORD...]       those whose name holds a WORD; --list only names them
"""

import argparse
import concurrent.futures
import os
import sys
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from case import waiting_time  # noqa: E402
from machine import Traces  # noqa: E402

PATIENT = 20  # seconds: one that waits so long does little else, and takes no place of the others'


def cases(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases(item)
        else:
            yield item


def play(case):
    result = unittest.TestResult()
    began = time.monotonic()
    case.run(result)
    return case, result, time.monotonic() - began


def played(wanted, at_once):
    """(case, result, seconds) of each, as it ends."""
    patient = [case for case in wanted if waiting_time(case) >= PATIENT]
    others = [case for case in wanted if waiting_time(case) < PATIENT]
    with concurrent.futures.ThreadPoolExecutor(len(patient) or 1) as waiting, \
            concurrent.futures.ThreadPoolExecutor(at_once) as working:
        futures = [waiting.submit(play, case) for case in patient]
        futures += [working.submit(play, case) for case in others]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-j", type=int, default=8)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    found = unittest.defaultTestLoader.discover(HERE, pattern="test_*.py")
    wanted = [case for case in cases(found)
              if not options.words or any(word in case.id() for word in options.words)]
    # Those that only wait first, so that the others fill the time.
    wanted.sort(key=lambda case: -waiting_time(case))
    if options.list:
        print("\n".join(sorted(case.id() for case in wanted)))
        return 0
    began = time.monotonic()
    bad = 0
    for case, result, seconds in played(wanted, options.j):
        well = result.wasSuccessful()
        bad += not well
        print(f"{'ok  ' if well else 'FAIL'} {case.id()} ({seconds:.1f} s)", flush=True)
        for _, text in result.failures + result.errors:
            print(text, flush=True)
    leaks = Traces.found()
    print(f"{len(Traces.secrets)} secrets looked for in {len(Traces.outputs)} outputs, reports and files: "
          f"{len(leaks)} found")
    for leak in leaks[:20]:
        print(f"FAIL {leak}")
    bad += bool(leaks)
    print(f"{len(wanted)} tests, {bad} failed, {time.monotonic() - began:.1f} s")
    return 1 if bad or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
