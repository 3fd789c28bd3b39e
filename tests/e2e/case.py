"""What the test cases have in common."""

import unittest

from machine import Machine, Simulator, configuration

# Deadlines beyond any Limit: a run that ends, with these, has waited for none of them.
ENDLESS = {"deadline": "3000s", "report": {"deadline": "2000s"}}
# The same, but before an absurd Retry-After, which the agent takes for ten minutes.
LONG = {"deadline": "700s", "report": {"deadline": "500s"}}


def waits(seconds):
    """Marks a test that waits so long, for the order in which they are started."""
    def mark(function):
        function.waits = seconds
        return function
    return mark


def waiting_time(case):
    return getattr(getattr(case, case._testMethodName, None), "waits", 0)


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

    def announced(self, simulator, machine, *arguments, **options):
        """The outcome of a run whose `in-progress` was taken before its verdict."""
        return machine.run_until_told(simulator.taken, *arguments, **options)

    def delivers(self, machine):
        """What is left in the spool is sent, however short report.deadline is."""
        return self.ends(machine.run("deliver", "--for", "100s"), 0)

    def once(self, attempt, times=20):
        """For what depends on which of two is quicker: that it comes out so once is enough, and a mistake keeps it
        from that each time."""
        for _ in range(times):
            if attempt():
                return
        self.fail(f"not once in {times} times: {attempt.__name__}")

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
