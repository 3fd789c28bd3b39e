"""Whoever is killed, stopped or told to go: there is a verdict, in time, and nothing is left."""

import glob
import os
import random
import signal
import subprocess
import time
import unittest

from case import ENDLESS, Case, waits
from machine import wait_for
from pace import HERE as PACE

# The boot job goes on asking: with ENDLESS, for longer than any of these tests.
NO_METADATA = {"metadata": [{"status": 503}]}
ASKING = {**ENDLESS, "metadata": {"deadline": "2000s"}}
# A sanitizer's own handler would print and exit.
DIES_OF_SIGNALS = {"ASAN_OPTIONS": "handle_segv=0", "TSAN_OPTIONS": "handle_segv=0"}


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Signals(Case):
    def asking(self):
        """(simulator, machine, process, worker) of a run in the middle of its work."""
        simulator, machine = self.pair(NO_METADATA, **ASKING)
        process = machine.start("run", env=DIES_OF_SIGNALS)
        worker = machine.worker()
        wait_for(lambda: simulator.state()["metadata"]["requests"])
        return simulator, machine, process, worker

    def interrupted(self, *signals):
        simulator, machine, process, _ = self.asking()
        for number in signals:
            process.send_signal(number)
        self.ends(machine.end(process), 1)
        self.is_failed(simulator.taken()[-1], "interrupted", False)
        machine.wait_until_idle()

    def test_terminated(self):
        self.interrupted(signal.SIGTERM)

    def test_interrupted(self):
        self.interrupted(signal.SIGINT)

    def test_hung_up(self):
        self.interrupted(signal.SIGHUP)

    def test_terminated_twice(self):
        self.interrupted(signal.SIGTERM, signal.SIGTERM)

    def test_all_of_a_unit_are_terminated(self):
        """As systemd does; the worker may be the first to hear. Its death is not put down to another cause if the
        agent's own signal comes within a tenth of a second."""
        def is_interrupted():
            simulator, machine, process, worker = self.asking()
            os.kill(worker, signal.SIGTERM)
            while is_running(worker):
                pass
            time.sleep(0.03)  # the agent has noticed, and is not done with that; later is only another attempt
            process.send_signal(signal.SIGTERM)
            self.ends(machine.end(process), 1)
            machine.wait_until_idle()
            return simulator.taken()[-1]["reason"]["code"] == "interrupted"

        self.once(is_interrupted)

    def test_terminated_while_it_delivers(self):
        simulator, machine = self.pair("endpoint_500_then_ok")
        process = machine.start("run")
        wait_for(lambda: any(request["json"]["outcome"] == "ready" for request in simulator.requests()))
        process.send_signal(signal.SIGTERM)
        self.ends(machine.end(process), 0)
        self.is_ready(simulator.taken()[-1])

    def test_worker_killed(self):
        for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
            with self.subTest(number):
                simulator, machine, process, worker = self.asking()
                os.kill(worker, number)
                outcome = self.ends(machine.end(process), 1)
                self.is_failed(simulator.taken()[-1], "internal", False)
                self.assertIn(f"killed by signal {int(number)}", outcome.err)
                machine.wait_until_idle()

    @waits(10)
    def test_worker_stopped(self):
        """It goes on to the job's deadline, and no longer: a process that is stopped never ends."""
        simulator, machine = self.pair(NO_METADATA, deadline="70s", report={"deadline": "60s"})
        process = machine.start("run")
        os.kill(machine.worker(), signal.SIGSTOP)
        outcome = self.ends(machine.end(process), 1)
        self.assertGreater(outcome.seconds, 10)
        self.is_failed(simulator.taken()[-1], "deadline-exceeded", True)
        machine.wait_until_idle()

    @waits(20)
    def test_deadline(self):
        """The job keeps the deadline by itself: what it waited for is the reason. A second later it is too late
        for that."""
        def is_told():
            simulator, machine = self.pair(deadline="80s", report={"deadline": "60s"}, ebs={"data": {
                "device": "/dev/sdz", "deadline": "2000s"}})
            self.ends(machine.run("run"), 1)
            report = simulator.taken()[-1]
            self.assertIs(report["recreate"], True)
            return report["reason"]["code"] == "ebs-missing"

        self.once(is_told, 3)

    @waits(5)
    def test_killed_at_random(self):
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)
        simulator, machine = self.pair()
        for number in range(10):
            with self.subTest(f"seed {seed}, kill {number}"):
                process = machine.start("run")
                time.sleep(chance.uniform(0, 0.7) * PACE.slowness())
                process.kill()
                machine.end(process)
                machine.wait_until_idle()
                # What was sent before the kill is recorded before what comes after it.
                simulator.wait_until_quiet()
                self.ends(machine.run("run"), 0)
                self.is_ready(simulator.taken()[-1])
        sequences = [report["sequence"] for report in simulator.taken()]
        self.assertEqual(sequences, sorted(sequences))
        # Verdicts that a kill left in the spool go out late, once, and say so.
        self.ends(machine.run("deliver"), 0)
        # Of a kill in the middle of a write, too, nothing is left: the run after it wrote there.
        self.assertEqual(machine.list("/run/muster/spool"), [])

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
            self.ends(machine.end(process), 1)
        finally:
            os.close(reading)
        self.is_failed(simulator.taken()[-1], "ebs-missing", True)

    def test_without_standard_streams(self):
        """Started with 0, 1 and 2 closed: nothing of ours may come to stand in their place."""
        simulator, machine = self.pair(ebs={"data": {"device": "/dev/sdz", "deadline": "1s"}})
        with machine.disks_in_use():
            process = machine.start("run", "--log-level", "debug", prefix=(
                "/bin/sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-'))
            worker = machine.worker()
            held = lambda: [os.path.realpath(name) for name in glob.glob(f"/proc/{worker}/fd/*")]
            wait_for(lambda: "/run/muster/lock" not in held(), "a stuck worker must not hold the lock")
            self.assertTrue(is_running(worker))
        self.ends(machine.end(process), 1)
        self.is_failed(simulator.taken()[-1], "ebs-missing", True)
        self.assertRegex(machine.read("/run/muster/lock"), r"\A[0-9]*\n?\Z")

    def test_two_at_once(self):
        simulator, machine, first, _ = self.asking()
        second = self.ends(machine.run("run"), 2)
        self.assertIn("another run is under way", second.err)
        self.assertIn(str(first.pid), second.err)
        self.assertIsNone(first.poll())
        for command in (["status"], ["config"], ["deliver"]):  # these take no lock
            self.assertNotIn("another run", machine.run(*command).err)
        self.assertLessEqual({report["sequence"] for report in simulator.taken()}, {1}, "the first one's in-progress")
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
