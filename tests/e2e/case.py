"""What the test cases have in common."""

import unittest

from machine import Machine, Simulator, configuration


def waits(seconds):
    """Marks a test that waits so long, for the order in which they are started."""
    def mark(function):
        function.waits = seconds
        return function
    return mark


class Case(unittest.TestCase):
    maxDiff = None

    def simulator(self, *scripts, options=()):
        simulator = Simulator(*(scripts or ("healthy",)), options=options)
        self.addCleanup(simulator.close)
        return simulator

    def machine(self, *layers):
        machine = Machine()
        self.addCleanup(machine.close)
        machine.configure(*layers)
        return machine

    def pair(self, *scripts, **changes):
        """A simulator and a machine configured for it."""
        simulator = self.simulator(*scripts)
        return simulator, self.machine(configuration(simulator, **changes))

    def ends(self, outcome, status):
        self.assertEqual(outcome.status, status, str(outcome))
        return outcome

    def is_failed(self, report, code, recreate):
        self.assertEqual(report["outcome"], "failed", report)
        self.assertEqual((report["reason"]["code"], report["recreate"]), (code, recreate), report)

    def is_ready(self, report):
        self.assertEqual(report["outcome"], "ready", report)
        self.assertIs(report["recreate"], False)
        self.assertNotIn("reason", report)
