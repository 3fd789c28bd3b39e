"""Tests wait for a condition, never for a time: a limit only ends a hang (pace.py)."""

import inspect
import time

from pace import Limit

PAUSE = 0.02


def wait_for(condition, what=None, seconds=60):
    """The condition's value, as soon as that counts as true. `what` it is, for the failure: a text, or a function
    that gives one; else the condition's own source."""
    limit = Limit(seconds)
    while True:
        value = condition()
        if value:
            return value
        if limit.is_over():
            raise AssertionError(f"waited for {described(what or condition, what)}: not within {limit}")
        time.sleep(PAUSE)


def described(told, what):
    if isinstance(told, str):
        return told
    if what is not None:
        return told()
    try:
        return " ".join(inspect.getsource(told).split())
    except (OSError, TypeError):
        return repr(told)


def patience(seconds=60):
    """For a call that takes its limit as a number."""
    return Limit(seconds).left()
