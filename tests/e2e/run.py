#!/usr/bin/python3
"""Runs the tests here, several at once: most of their time is waiting.

    tests/e2e/run.py [-j N] [WORD...]       those whose name holds a WORD
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

from machine import Traces  # noqa: E402


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-j", type=int, default=8)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    found = unittest.defaultTestLoader.discover(HERE, pattern="test_*.py")
    wanted = [case for case in cases(found)
              if not options.words or any(word in case.id() for word in options.words)]
    # Those that only wait first, so that the others fill the time.
    wanted.sort(key=lambda case: -getattr(getattr(case, case._testMethodName, None), "waits", 0))
    began = time.monotonic()
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        for future in concurrent.futures.as_completed([pool.submit(play, case) for case in wanted]):
            case, result, seconds = future.result()
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
