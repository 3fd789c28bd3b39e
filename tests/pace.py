"""How slow this machine is just now, beside the one on which the tests' limits were chosen.

A limit in a test is in seconds of that reference machine, at rest: it is there to end a test that hangs, and
says nothing about how long something may take. On a machine that is slower, or has other work to do, these
seconds last longer. How much longer is measured for as long as the limit runs, by a small piece of work of the
kind that the tests are made of: programs are started, and something is computed.
"""

import collections
import hashlib
import os
import threading
import time

EVERY = 2.0         # seconds between two measurements
KEPT = 5            # of them count
REFERENCE = 0.020   # seconds for one, on an EPYC of 2025 at rest
BLOCK = bytes(1 << 20)


def measure():
    """Seconds for the piece of work."""
    began = time.monotonic()
    for _ in range(4):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    digest = hashlib.sha256()
    for _ in range(8):
        digest.update(BLOCK)
    return time.monotonic() - began


class Pace:
    """Measures in a thread of its own from the first question on."""

    def __init__(self):
        self._lock = threading.Lock()
        self._thread = None
        self._taken = collections.deque(maxlen=KEPT)

    def slowness(self):
        """1 on the reference machine or a quicker one, 3 on one that takes three times as long."""
        with self._lock:
            if self._thread is None:
                self._taken.append(measure())
                self._thread = threading.Thread(target=self._go_on, daemon=True)
                self._thread.start()
            return max(1.0, sum(self._taken) / len(self._taken) / REFERENCE)

    def _go_on(self):
        while True:
            time.sleep(EVERY)
            taken = measure()
            with self._lock:
                self._taken.append(taken)


HERE = Pace()


class Limit:
    """Seconds of the reference machine, from now on."""

    def __init__(self, seconds, slowness=HERE.slowness):
        self.seconds = seconds
        self._slowness = slowness
        self._began = self._seen = time.monotonic()
        self._used = 0.0

    def is_over(self):
        now = time.monotonic()
        self._used += (now - self._seen) / max(1.0, self._slowness())
        self._seen = now
        return self._used >= self.seconds

    def left(self):
        """Seconds here, as the machine is just now."""
        over = self.is_over()
        return 0.0 if over else (self.seconds - self._used) * max(1.0, self._slowness())

    def __str__(self):
        """For the reader of a failure: a hang, or a slow machine?"""
        return "%.0f s, which are %.0f s of the reference machine; this one is %.1f times as slow now" % (
            self._seen - self._began, self._used, max(1.0, self._slowness()))
