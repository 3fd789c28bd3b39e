"""Those who wait on the machine: how far the boot is, and the last word for a run that was killed."""

import os
import signal
import socket
import tempfile
import time
import unittest

from case import ENDLESS, Case, waits
from machine import patience

NO_METADATA = {"metadata": [{"refuse": True}]}
STATUS = "/run/muster/status.json"
KILLED = {"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}


class Standing(Case):
    def outcome(self, machine):
        try:
            return machine.read_json(STATUS)["outcome"]
        except OSError:
            return None

    def killed(self):
        """A machine whose run was killed, before it could say anything but in-progress."""
        simulator, machine = self.pair(NO_METADATA)
        process = machine.start("run")
        machine.worker()
        self.assertEqual(self.outcome(machine), "in-progress")
        process.send_signal(signal.SIGKILL)
        machine.end(process)
        machine.wait_until_idle()
        self.assertEqual(self.outcome(machine), "in-progress", "nobody was left to say more")
        return simulator, machine

    def test_a_run_that_was_killed_has_a_last_word(self):
        simulator, machine = self.killed()
        self.ends(machine.run("run", "--if-died", env=KILLED), 1)
        report = simulator.taken()[-1]
        self.is_failed(report, "internal", False)
        self.assertIn("signal, killed KILL", report["reason"]["message"])
        self.assertEqual(report, machine.read_json("/run/muster/report.json"))
        # Once.
        self.ends(machine.run("run", "--if-died", env=KILLED), 0)
        self.assertEqual(simulator.taken()[-1], report)

    def test_one_that_never_began_has_one_too(self):
        simulator, machine = self.pair()
        self.ends(machine.run("run", "--if-died", env={"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited",
                                                       "EXIT_STATUS": "203"}), 1)
        self.is_failed(simulator.taken()[-1], "internal", False)
        self.assertIn("exit-code, exited 203", simulator.taken()[-1]["reason"]["message"])

    @waits(11)
    def test_it_does_not_hold_up_whoever_stops_it(self):
        simulator, machine = self.killed()
        simulator.swap({"endpoint": [{"status": 500}]})
        machine.write("/etc/muster/conf.d/9.json", ENDLESS)
        self.ends(machine.run("run", "--if-died", seconds=60), 4)  # ten, and systemd gives it 90
        self.assertEqual(len(machine.list("/run/muster/spool")), 1)

    def test_it_is_silent_where_there_is_a_verdict(self):
        simulator, machine = self.pair()
        self.ends(machine.run("run"), 0)
        sent = simulator.taken()
        self.ends(machine.run("run", "--if-died", env=KILLED), 0)
        self.assertEqual(simulator.taken(), sent)
        machine.write("/etc/muster/disabled", "")
        os.remove(machine.path(STATUS))
        self.ends(machine.run("run", "--if-died", env=KILLED), 0)
        self.assertEqual(simulator.taken(), sent)

    def test_and_where_another_run_lives(self):
        simulator, machine = self.pair(NO_METADATA)
        process = machine.start("run")
        machine.worker()
        self.ends(machine.run("run", "--if-died", env=KILLED), 0)
        process.send_signal(signal.SIGTERM)
        machine.end(process)
        self.assertNotIn("internal", [report.get("reason", {}).get("code") for report in simulator.taken()])

    def test_storage_is_reached_before_the_checks_end(self):
        until_told = "until test -e /run/told; do sleep 0.1; done"
        simulator, machine = self.pair(checks={
            "slow": {"command": ["/bin/sh", "-c", until_told], "deadline": "200s"}})
        process = machine.start("run")
        self.ends(machine.run("status", "--wait", "storage"), 0)
        self.assertEqual(self.outcome(machine), "in-progress")
        machine.write("/run/told", "")
        self.ends(machine.run("status", "--wait", "ready"), 0)
        self.ends(machine.end(process), 0)
        self.is_ready(simulator.taken()[-1])

    def test_a_check_that_fails_keeps_storage(self):
        _, machine = self.pair(checks={"no": {"command": ["/bin/false"]}})
        self.ends(machine.run("run"), 1)
        self.ends(machine.run("status", "--wait", "storage"), 0)
        self.ends(machine.run("status", "--wait", "ready"), 1)
        machine.write("/etc/muster/disabled", "")
        self.ends(machine.run("status", "--wait", "ready"), 0)

    def test_ready_does_not_wait_for_the_endpoint(self):
        simulator, machine = self.pair({"endpoint": [{"status": 500}]}, **ENDLESS)
        process = machine.start("run")
        self.ends(machine.run("status", "--wait", "ready"), 0)
        self.assertIsNone(process.poll(), "it still tries to deliver")
        simulator.swap({"endpoint": [{"status": 403}]})
        self.ends(machine.end(process, 300), 3)

    def test_one_that_observes_keeps_nobody(self):
        _, machine = self.pair(NO_METADATA, mode="observe", metadata={"deadline": "1s"})
        self.ends(machine.run("run"), 1)
        self.ends(machine.run("status", "--wait", "storage"), 0)
        self.ends(machine.run("status", "--wait", "ready"), 0)

    def test_the_manager_is_asked_for_time(self):
        _, machine = self.pair(deadline="600s")
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(folder + "/notify")
            manager.settimeout(patience())
            self.ends(machine.run("run", env={"NOTIFY_SOCKET": folder + "/notify"}), 0)
            self.assertEqual(manager.recv(1000), b"EXTEND_TIMEOUT_USEC=660000000")


if __name__ == "__main__":
    unittest.main()
