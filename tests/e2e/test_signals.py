"""Whoever is killed, stopped or told to go: there is a verdict, in time, and nothing is left."""

import glob
import os
import random
import signal
import subprocess
import time
import unittest

from case import Case, waits
from machine import configuration, wait_for

NO_METADATA = {"metadata": [{"refuse": True}]}
# A sanitizer's own handler would print and exit.
DIES_OF_SIGNALS = {"ASAN_OPTIONS": "handle_segv=0", "TSAN_OPTIONS": "handle_segv=0"}


class Signals(Case):
    def interrupted(self, *signals):
        simulator, machine = self.pair(NO_METADATA)
        process = machine.start("run")
        worker = machine.worker()
        self.assertTrue(worker)
        time.sleep(0.2)
        began = time.monotonic()
        for target, number in signals:
            os.kill({"parent": process.pid, "worker": worker}[target], number)
        outcome = machine.end(process)
        self.assertLess(time.monotonic() - began, 2.0 + 1.0)
        self.ends(outcome, 1)
        self.is_failed(simulator.taken()[-1], "interrupted", False)
        self.assertTrue(wait_for(lambda: not machine.processes(), 1.0), machine.processes())
        return machine

    def test_terminated(self):
        self.interrupted(("parent", signal.SIGTERM))

    def test_interrupted(self):
        self.interrupted(("parent", signal.SIGINT))

    def test_hung_up(self):
        self.interrupted(("parent", signal.SIGHUP))

    def test_terminated_twice(self):
        self.interrupted(("parent", signal.SIGTERM), ("parent", signal.SIGTERM))

    def test_all_of_a_unit_are_terminated(self):
        """As systemd does; the worker may be the first to hear."""
        self.interrupted(("worker", signal.SIGTERM), ("parent", signal.SIGTERM))

    def test_terminated_while_it_delivers(self):
        simulator, machine = self.pair("endpoint_500_then_ok")
        process = machine.start("run")
        self.assertTrue(wait_for(lambda: any(request["json"]["outcome"] == "ready"
                                             for request in simulator.requests())))
        process.send_signal(signal.SIGTERM)
        self.ends(machine.end(process), 0)
        self.is_ready(simulator.taken()[-1])

    def test_worker_killed(self):
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
            with self.subTest(number):
                simulator, machine = self.pair(NO_METADATA)
                process = machine.start("run", env=DIES_OF_SIGNALS)
                os.kill(machine.worker(), number)
                outcome = self.ends(machine.end(process), 1)
                self.assertLess(outcome.seconds, 5)
                self.is_failed(simulator.taken()[-1], "internal", False)
                self.assertIn(f"killed by signal {int(number)}", outcome.err)
                self.assertTrue(wait_for(lambda: not machine.processes(), 1.0),
                                machine.processes())

    @waits(4)
    def test_worker_stopped(self):
        simulator, machine = self.pair(NO_METADATA, deadline="4s", report={"deadline": "2s"})
        process = machine.start("run")
        began = time.monotonic()
        os.kill(machine.worker(), signal.SIGSTOP)
        self.ends(machine.end(process), 1)
        self.assertLess(time.monotonic() - began, 4.0 + 1.0)
        self.assertGreater(time.monotonic() - began, 1.5)
        self.is_failed(simulator.taken()[-1], "deadline-exceeded", True)
        self.assertTrue(wait_for(lambda: not machine.processes(), 1.0), machine.processes())

    @waits(3)
    def test_deadline(self):
        """The job keeps the deadline by itself: what it waited for is the reason."""
        simulator, machine = self.pair(deadline="4s", report={"deadline": "2s"}, ebs={"data": {
            "device": "/dev/sdz", "deadline": "60s"}})
        outcome = self.ends(machine.run("run"), 1)
        self.assertLess(outcome.seconds, 4.5)
        self.is_failed(simulator.taken()[-1], "ebs-missing", True)

    @waits(5)
    def test_killed_at_random(self):
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)
        simulator, machine = self.pair()
        for number in range(10):
            with self.subTest(f"seed {seed}, kill {number}"):
                process = machine.start("run")
                time.sleep(chance.uniform(0, 0.7))
                process.kill()
                machine.end(process)
                self.assertTrue(wait_for(lambda: not machine.processes(), 1.0),
                                machine.processes())
                self.ends(machine.run("run"), 0)
                self.is_ready(simulator.taken()[-1])
        sequences = [report["sequence"] for report in simulator.taken()]
        self.assertEqual(sequences, sorted(sequences))
        # Verdicts that a kill left in the spool go out late, once, and say so.
        self.ends(machine.run("deliver"), 0)
        # A kill in the middle of a write leaves a hidden file, which is no entry.
        self.assertEqual([name for name in machine.list("/run/muster/spool") if not name.startswith(".")], [])

    def test_nobody_reads_its_output(self):
        """A pipe that is closed at its other end is no reason to die without a verdict."""
        simulator, machine = self.pair(ebs={"data": {"device": "/dev/sdz", "deadline": "1s"}})
        reading, writing = os.pipe()
        os.close(reading)
        process = machine.start("run", "--log-level", "debug", stdout=writing, stderr=writing)
        os.close(writing)
        outcome = machine.end(process)
        self.assertEqual(outcome.status, 1, "it must not die of SIGPIPE")
        self.is_failed(simulator.taken()[-1], "ebs-missing", True)

    def test_nobody_takes_its_output(self):
        """A pipe that is full, as that of a journal which hangs with the root volume."""
        simulator, machine = self.pair(ebs={"data": {"device": "/dev/sdz", "deadline": "1s"}})
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(writing, True)
        process = machine.start("run", "--log-level", "debug", stderr=writing)
        os.close(writing)
        try:
            outcome = self.ends(machine.end(process, 20), 1)
        finally:
            os.close(reading)
        self.assertLess(outcome.seconds, 6)
        self.is_failed(simulator.taken()[-1], "ebs-missing", True)

    def test_without_standard_streams(self):
        """Started with 0, 1 and 2 closed: nothing of ours may come to stand in their place."""
        simulator, machine = self.pair(ebs={"data": {"device": "/dev/sdz", "deadline": "1s"}})
        process = machine.start("run", "--log-level", "debug", prefix=(
            "/bin/sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-'))
        worker = machine.worker()
        folder = f"/proc/{worker}/fd"
        holds_lock = lambda: "/run/muster/lock" in map(os.path.realpath, glob.glob(f"{folder}/*"))
        let_go = wait_for(lambda: not holds_lock(), 1)  # it has just been forked
        self.ends(machine.end(process), 1)
        self.is_failed(simulator.taken()[-1], "ebs-missing", True)
        self.assertTrue(let_go, "a stuck worker must not hold the lock")
        self.assertRegex(machine.read("/run/muster/lock"), r"\A[0-9]*\n?\Z")

    def test_two_at_once(self):
        simulator, machine = self.pair(NO_METADATA)
        first = machine.start("run")
        self.assertTrue(machine.worker())
        second = self.ends(machine.run("run"), 2)
        self.assertIn("another run is under way", second.err)
        self.assertIn(str(first.pid), second.err)
        self.assertIsNone(first.poll())
        for command in (["status"], ["config"], ["deliver"]):  # these take no lock
            self.assertNotIn("another run", machine.run(*command).err)
        self.assertTrue(wait_for(lambda: simulator.state()["endpoint"]["requests"] == 0, 0.1))
        first.terminate()
        self.ends(machine.end(first), 1)

    @waits(2)
    def test_a_stopped_worker_keeps_nobody_out(self):
        simulator, machine = self.pair(NO_METADATA)
        process = machine.start("run")
        os.kill(machine.worker(), signal.SIGSTOP)
        process.kill()
        machine.end(process)
        simulator.swap({"metadata": []})
        self.ends(machine.run("run"), 0)


if __name__ == "__main__":
    unittest.main()
