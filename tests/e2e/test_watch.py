"""`muster watch`: what it says while it stays, and how it goes."""

import os
import signal
import socket
import time
import unittest

from case import Case, waits
from machine import Limit, of_sanitizer, only, patience, wait_for

QUICK = {"interval": "1s", "bad": 2, "of": 3, "heartbeat": "1s"}
# Nothing has so many free inodes.
FULL = {"root": {"min_free_inodes": 1 << 50}}
WELL = {"root": {"min_free_inodes": "0%"}}


def is_heartbeat(report):
    return report.get("notice", {}).get("kind") == "heartbeat"


class Watch(Case):
    def pair(self, *scripts, **changes):
        return super().pair(*scripts, **{"watch": QUICK, **changes})

    def start(self, machine, **options):
        process = machine.start("watch", log="/run/watch.err", **options)
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.communicate()))
        # Before that a signal would end it, as it would any program.
        wait_for(lambda: "muster-nursery" in machine.processes().values())
        return process

    def looks(self, simulator):
        """How often it has looked so far: notices are asked for each time."""
        by_path = simulator.state()["metadata"]["by_path"]
        return sum(count for path, count in by_path.items() if "spot/" in path)

    def looks_again(self, simulator, times):
        before = self.looks(simulator)
        wait_for(lambda: self.looks(simulator) >= before + times, f"{times} more looks")

    def beats(self, simulator):
        return list(filter(is_heartbeat, simulator.taken()))

    def told(self, simulator):
        """What the endpoint took, without the signs of life: outcome, reason or kind. What comes
        again under the same number, since its answer came late, a receiver drops."""
        seen = {}
        for report in simulator.taken():
            if not is_heartbeat(report):
                seen.setdefault(report["sequence"], " ".join(filter(None, (
                    report["outcome"], report.get("reason", {}).get("code"),
                    report.get("notice", {}).get("kind")))))
        return list(seen.values())

    def hears(self, simulator, *expected):
        wait_for(lambda: self.told(simulator) == list(expected),
                 lambda: f"{list(expected)}, told was {self.told(simulator)}")

    def stops(self, machine, process):
        process.terminate()
        outcome = self.ends(machine.end(process, 60), 0)  # five, whatever hangs; and systemd gives it 90
        machine.wait_until_idle()
        return outcome

    @waits(12)
    def test_degraded_recovered_and_goodbye(self):
        """Also what SIGHUP does, since it is by the configuration that the root gets full here."""
        simulator, machine = self.pair()
        self.ends(machine.run("run"), 0)
        process = self.start(machine)
        machine.write("/etc/muster/conf.d/1.json", FULL)
        process.send_signal(signal.SIGHUP)
        self.hears(simulator, "in-progress", "ready", "degraded root-full")
        machine.write("/etc/muster/conf.d/1.json", "{ half a file")
        process.send_signal(signal.SIGHUP)
        machine.says(process, "the old one is kept")
        machine.write("/etc/muster/conf.d/1.json", WELL)
        self.looks_again(simulator, 5)
        self.hears(simulator, "in-progress", "ready", "degraded root-full")
        process.send_signal(signal.SIGHUP)
        self.hears(simulator, "in-progress", "ready", "degraded root-full", "recovered")
        outcome = self.stops(machine, process)
        self.hears(simulator, "in-progress", "ready", "degraded root-full", "recovered",
                   "stopping")
        self.assertIn("1.json", outcome.err)
        reports = simulator.taken()
        for report in reports[2:]:  # of watch
            self.assertIs(report["recreate"], False)
            self.assertEqual(report["instance"]["id"], "i-0123456789abcdef0")
        sequences = [report["sequence"] for report in reports]
        self.assertEqual(sequences, sorted(set(sequences)))  # after those of run
        self.assertEqual(machine.list("/run/muster/spool"), [])
        # The verdict of the boot is what it was.
        self.is_ready(machine.read_json("/run/muster/report.json"))

    @waits(6)
    def test_heartbeats_and_few_requests(self):
        simulator, machine = self.pair()
        process = self.start(machine)
        wait_for(lambda: len(self.beats(simulator)) >= 5)
        self.stops(machine, process)
        self.assertEqual(self.beats(simulator)[-1]["notice"]["detail"], {"degraded": False, "next_seconds": 1})
        state = simulator.state()["metadata"]
        self.assertEqual(state["tokens"]["issued"], 1)
        # Identity and mapping once (they are confirmed), four questions a look, one token.
        self.assertLess(state["requests"], 4 * self.looks(simulator) + 60)

    @waits(8)
    def test_notices(self):
        simulator, machine = self.pair()
        process = self.start(machine)
        wait_for(lambda: self.beats(simulator))
        spot = {"$json": {"action": "terminate", "time": "2026-11-21T21:02:00Z"}}
        event = {"Code": "system-reboot", "EventId": "instance-event-1", "State": "active",
                 "NotBefore": "22 Nov 2026 09:00:43 GMT"}
        simulator.swap({"instance": {"spot": {"instance-action": spot}}})
        self.hears(simulator, "notice spot-interruption")
        simulator.swap({"instance": {"events": {"maintenance": {"scheduled": [event]}}}})
        self.hears(simulator, "notice spot-interruption", "notice maintenance")
        simulator.swap({"instance": {"autoscaling": {"target-lifecycle-state": "Terminated"}}})
        expected = ["notice spot-interruption", "notice maintenance", "notice lifecycle"]
        self.hears(simulator, *expected)
        self.stops(machine, process)
        # A new process of the same boot says nothing twice.
        process = self.start(machine)
        self.looks_again(simulator, 4)
        self.stops(machine, process)
        self.hears(simulator, *expected, "stopping", "stopping")
        notice = next(report["notice"] for report in simulator.taken()
                      if report.get("notice", {}).get("kind") == "spot-interruption")
        self.assertEqual(notice, {"kind": "spot-interruption", "detail": {"action": "terminate"},
                                  "time": "2026-11-21T21:02:00Z"})

    @waits(10)
    def test_no_metadata_is_no_finding(self):
        simulator, machine = self.pair({"metadata": [{"status": 503}]})
        process = self.start(machine)
        wait_for(lambda: simulator.state()["metadata"]["requests"] >= 5)  # one a look
        outcome = self.stops(machine, process)
        self.hears(simulator, "stopping")
        self.assertEqual(outcome.err.count("metadata can't be asked"), 1, outcome.err)

    @waits(12)
    def test_an_endpoint_that_hangs_and_comes_back(self):
        simulator, machine = self.pair({"endpoint": [{"blackhole": True}]}, **FULL)
        process = self.start(machine)
        wait_for(lambda: machine.list("/run/muster/spool"))
        tries = lambda: len(simulator.requests())

        def it_looks_during_a_try():
            before = tries()
            wait_for(lambda: tries() > before)
            self.looks_again(simulator, 2)
            under_way = simulator.state()["endpoint"]["open"]  # it lasts ten seconds
            return under_way and tries() == before + 1

        self.once(it_looks_during_a_try, 4)
        simulator.swap({"endpoint": []})
        self.hears(simulator, "degraded root-full")
        wait_for(lambda: not machine.list("/run/muster/spool"))
        self.stops(machine, process)

    @waits(8)
    def test_goodbye_is_short_whatever_hangs(self):
        simulator, machine = self.pair({"endpoint": [{"blackhole": True}]})
        process = self.start(machine)
        wait_for(simulator.requests)
        self.stops(machine, process)
        self.assertEqual(len(machine.list("/run/muster/spool")), 1)

    @waits(6)
    def test_the_service_manager_is_told(self):
        simulator, machine = self.pair()
        name = f"muster-e2e-{os.getpid()}-{id(self)}"
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind("\0" + name)
        manager.settimeout(patience())
        heard = lambda: manager.recv(1000).decode().split("\n")
        process = self.start(machine, env={"NOTIFY_SOCKET": "@" + name,
                                           "WATCHDOG_USEC": "1000000"})
        self.assertEqual(heard(), ["READY=1"])
        pings = Limit(20)
        for _ in range(4):
            self.assertEqual(heard(), ["WATCHDOG=1"])
        self.assertFalse(pings.is_over(), str(pings))
        asked = time.clock_gettime(time.CLOCK_MONOTONIC)
        process.send_signal(signal.SIGHUP)
        states = []
        while "READY=1" not in states:
            states += heard()
        self.assertIn("RELOADING=1", states)
        microseconds = next(int(state.split("=")[1]) for state in states
                            if state.startswith("MONOTONIC_USEC="))
        self.assertTrue(asked <= microseconds / 1e6 <= time.clock_gettime(time.CLOCK_MONOTONIC))
        process.send_signal(signal.SIGSTOP)  # a loop that hangs does not ping
        manager.settimeout(1.5)
        with self.assertRaises(TimeoutError):
            while True:
                heard()
        process.send_signal(signal.SIGCONT)
        process.terminate()
        manager.settimeout(patience())
        states = []
        while "STOPPING=1" not in states:
            states += heard()
        self.ends(machine.end(process), 0)

    @waits(4)
    def test_numbers(self):
        simulator, machine = self.pair(metrics={"textfile": "/run/numbers/muster.prom"}, **FULL)
        process = self.start(machine)
        name = "/run/numbers/muster.prom"
        degraded = lambda: machine.list("/run/numbers") and "muster_degraded 1" in machine.read(name)
        wait_for(degraded)
        text = machine.read(name)
        self.assertIn('muster_check_status{check="root",subject="inodes"} 0\n', text)
        self.assertIn("muster_up 1\n", text)
        self.assertEqual(os.stat(machine.path(name)).st_mode & 0o777, 0o644)
        self.stops(machine, process)
        self.assertIn("muster_up 0\n", machine.read(name))
        self.assertEqual(machine.list("/run/numbers"), ["muster.prom"])

    @unittest.skipIf(of_sanitizer(), "the sanitizer's memory")
    @waits(25)
    def test_it_does_not_grow(self):
        simulator, machine = self.pair(metrics={"textfile": "/run/muster.prom"})
        process = self.start(machine)

        def measured():
            with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
                values = dict(line.split(":", 1) for line in file)
            descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))
            return int(values["VmRSS"].split()[0]), descriptors, len(machine.processes())

        self.looks_again(simulator, 6)
        before = measured()
        self.looks_again(simulator, 18)
        threads = lambda: int(open(f"/proc/{process.pid}/stat", encoding="utf-8").read().split()[19])
        wait_for(lambda: threads() == 1)
        after = measured()
        # KiB. Each thread that runs beside the others for the first time leaves its stack to the next one.
        self.assertLess(after[0], before[0] + 1024, (before, after))
        self.assertLessEqual(after[1], before[1] + 2, (before, after))
        self.stops(machine, process)

    def test_switched_off(self):
        simulator, machine = self.pair()
        machine.write("/etc/muster/disabled", "")
        self.ends(machine.run("watch"), 0)
        self.assertEqual(simulator.requests(), [])

    def test_a_wrong_configuration(self):
        simulator, machine = self.pair()
        machine.write("/etc/muster/conf.d/1.json", {"watch": {"bad": 9}})
        outcome = self.ends(machine.run("watch"), 2)
        self.assertIn("watch.bad: found 9, expected at most `watch.of`, which is 3", outcome.err)

    @waits(6)
    def test_beside_run(self):
        """It takes no lock, and no message of theirs has the number of another."""
        simulator, machine = self.pair()
        process = self.start(machine)
        for _ in range(5):
            self.ends(machine.run("run"), 0)
        wait_for(lambda: len(self.beats(simulator)) > 5)
        self.stops(machine, process)
        said = {}
        for request in simulator.requests():
            key = request["headers"]["Idempotency-Key"]
            self.assertEqual(said.setdefault(key, request["body"]), request["body"])
        self.assertGreater(len(said), 10)


if __name__ == "__main__":
    unittest.main()
