"""What becomes of a run, from metadata to exit status."""

import calendar
import json
import os
import stat
import time
import unittest

from case import ENDLESS, Case, waits
from machine import configuration, only, wait_for


class Ready(Case):
    @waits(3)
    def test_in_progress_then_ready(self):
        # Metadata so late that `in-progress` goes out first, without the instance's name.
        simulator, machine = self.pair({"metadata": [{"refuse": True}]})
        began = time.time()
        process = machine.start("run")
        wait_for(simulator.taken)
        simulator.swap({"metadata": []})
        outcome = self.ends(machine.end(process), 0)
        first, second = simulator.requests()
        self.assertEqual([first["json"]["outcome"], second["json"]["outcome"]],
                         ["in-progress", "ready"], outcome)
        for number, request in enumerate((first, second), 1):
            report = request["json"]
            self.assertEqual((request["method"], request["path"]), ("POST", "/v1/reports"))
            self.assertEqual(request["headers"]["Content-Type"], "application/json")
            self.assertEqual(request["headers"]["Idempotency-Key"],
                             f"{report['instance']['id'] or 'unknown'}/{report['boot_id']}/{number}")
            self.assertEqual(report["sequence"], number)
            self.assertEqual(report["schema"], "muster.report/1")
            self.assertIs(report["enforced"], True)
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            self.assertEqual(second["json"]["boot_id"], file.read().strip())
        # `verdict_by` is the run's start and its deadline of 300 s; the name is waited for for 3 s.
        stamp = calendar.timegm(time.strptime(first["json"]["verdict_by"].split(".")[0], "%Y-%m-%dT%H:%M:%S"))
        self.assertGreaterEqual(stamp, int(began) + 300)
        self.assertLessEqual(stamp, first["time"] + 300 - 3)
        self.assertIs(first["json"]["recreate"], False)

        report = second["json"]
        self.is_ready(report)
        self.assertEqual(report["instance"], {
            "id": "i-0123456789abcdef0", "type": "m1.xlarge", "region": "eu-west-1",
            "zone": "eu-west-1b", "account": report["instance"]["account"],
            "image": "ami-0abcdef1234567890", "source": "metadata"})
        self.assertTrue(all(finding["status"] == "pass" for finding in report["findings"]
                            if finding["gating"]), report["findings"])
        self.assertEqual(machine.read_json("/run/muster/report.json"), report)
        status = machine.read_json("/run/muster/status.json")
        self.assertEqual(status.pop("deliveries"),
                         [{"sink": "scaler", "delivered": True, "tries": 1, "error": ""}])
        self.assertIs(status.pop("storage_ready"), True)
        self.assertEqual(status, report)

    def test_again_and_again(self):
        simulator, machine = self.pair()
        for _ in range(3):
            self.ends(machine.run("run"), 0)
        sequences = [request["json"]["sequence"] for request in simulator.requests()]
        self.assertEqual(sequences, sorted(set(sequences)))
        keys = [request["headers"]["Idempotency-Key"] for request in simulator.requests()]
        self.assertEqual(len(set(keys)), len(keys))
        verdicts = [report for report in simulator.taken() if report["outcome"] == "ready"]
        self.assertEqual(len(verdicts), 3)
        self.assertEqual(verdicts[-1]["sequence"], 6)  # in-progress counts, sent or overtaken
        self.assertEqual(machine.list("/run/muster/spool"), [])

    def test_files_are_for_root_alone(self):
        simulator, machine = self.pair(report={"to": {"file": {
            "type": "file", "path": "/run/muster/sent.json"}}})
        simulator.swap({"endpoint": [{"status": 403}]})
        self.ends(machine.run("run", prefix=("/bin/sh", "-c", 'umask 0; exec "$0" "$@"')), 0)
        names = []
        for folder, _, files in os.walk(machine.path("/run/muster")):
            for name in files:
                names.append(name)
                mode = os.stat(os.path.join(folder, name)).st_mode
                self.assertEqual(stat.S_IMODE(mode), 0o600, name)
        for name in ("report.json", "status.json", "sent.json", "lock"):
            self.assertIn(name, names)
        self.assertEqual(machine.read_json("/run/muster/sent.json"),
                         machine.read_json("/run/muster/report.json"))
        self.assertEqual(only(machine.list("/run/muster/spool"))[-12:], "-scaler.json")

    def test_without_any_configuration_it_still_reports(self):
        # Nothing but the (here harmless) minimum: no sink at all.
        simulator = self.simulator()
        machine = self.machine(configuration(simulator, report={"to": None}))
        self.ends(machine.run("run"), 0)
        self.is_ready(machine.read_json("/run/muster/report.json"))
        self.assertEqual(simulator.requests(), [])

    @waits(15)
    def test_misbehaving_metadata(self):
        """Issue 2, must show 3."""
        simulator, machine = self.pair("misbehaving")
        self.ends(machine.run("run"), 0)
        report = simulator.taken()[-1]
        self.is_ready(report)
        counts = report["metadata"]
        self.assertGreaterEqual(counts["failures"]["refused"], 2)
        self.assertEqual(counts["failures"]["http 503"], 2)
        self.assertEqual(counts["empty"], 3)
        self.assertGreaterEqual(counts["retries"], 2 + 2 + 3)
        wait = only(wait for wait in report["waits"] if wait["for"] == "metadata")
        self.assertGreater(wait["seconds"], 5)
        self.assertEqual(wait["outcome"], "found")
        seen = simulator.state()["metadata"]
        self.assertEqual(seen["requests"],
                         counts["requests"] - counts["failures"]["refused"])

    def test_disagreements_are_counted(self):
        simulator, machine = self.pair({"metadata": [
            {"path": "meta-data/block-device-mapping/", "sequence": [
                {"body": "ami\nebs1"}, "right", {"body": "ami\nebs1"}]}]})
        self.ends(machine.run("run"), 0)
        self.assertGreater(simulator.taken()[-1]["metadata"]["disagreements"], 0)

    def test_observe(self):
        simulator, machine = self.pair(mode="observe", ebs={"data": {
            "device": "/dev/sdz", "deadline": "1s"}})
        self.ends(machine.run("run"), 1)
        for report in simulator.taken():
            self.assertIs(report["enforced"], False)

    def test_switched_off(self):
        simulator, machine = self.pair()
        machine.write("/etc/muster/disabled", "")
        outcome = self.ends(machine.run("run"), 0)
        self.assertIn("switched off", outcome.err)
        self.assertEqual(outcome.out, "")
        self.assertEqual(simulator.requests(), [])
        self.assertEqual(simulator.state()["metadata"]["connections"], 0)
        self.assertEqual(machine.list("/run/muster"), [])

    def test_switched_off_by_the_kernel_argument(self):
        for arguments, off in (("quiet muster=off\n", True), ("muster=off", True),
                               ("muster=off2 xmuster=off", False)):
            with self.subTest(arguments):
                simulator, machine = self.pair()
                machine.write("/run/cmdline", arguments)
                outcome = machine.run("run", prefix=(
                    "/bin/sh", "-c", 'mount --bind /run/cmdline /proc/cmdline; exec "$0" "$@"'))
                self.ends(outcome, 0)
                self.assertEqual(simulator.requests() == [], off)

    def test_what_cannot_be_kept_is_still_sent(self):
        """/run full: no sequence, no spool, no status; the verdict goes out, and once."""
        simulator, machine = self.pair(ebs={"data": {"device": "/dev/sdz", "deadline": "1s"}})
        machine.inside("/bin/sh", "-c", "mkdir -p /run/muster; "
                       "mount -t tmpfs -o size=4k,nr_inodes=4 tmpfs /run/muster; "
                       "touch /run/muster/lock /run/muster/disks.lock; "
                       "cat /dev/zero >/run/muster/lock 2>/dev/null || :")
        outcome = self.ends(self.announced(simulator, machine), 1)
        self.assertIn("No space left", outcome.err)
        self.assertEqual([(report["outcome"], report["sequence"])
                          for report in simulator.taken()], [("in-progress", 1), ("failed", 2)])
        keys = [request["headers"]["Idempotency-Key"] for request in simulator.requests()]
        self.assertEqual(len(set(keys)), 2, "a receiver drops what it has seen")

    def test_no_run_folder_at_all(self):
        """/run/muster can't be made: no lock, so no disk is touched, but the verdict goes out."""
        simulator, machine = self.pair()
        machine.write("/run/muster", "a file in its place")
        outcome = machine.run("run")
        self.assertIn(outcome.status, (1, 4), outcome)
        self.is_failed(simulator.taken()[-1], "internal", False)


class Failed(Case):
    def test_ebs_volume_missing(self):
        simulator, machine = self.pair(ebs={"data": {"device": "/dev/sdz", "deadline": "1s"}})
        outcome = self.ends(self.announced(simulator, machine), 1)
        in_progress, failed = simulator.taken()
        self.assertEqual(in_progress["outcome"], "in-progress")
        self.assertEqual(in_progress["instance"]["id"], "i-0123456789abcdef0")
        self.is_failed(failed, "ebs-missing", True)
        self.assertIn("/dev/sdz", failed["reason"]["message"])
        self.assertIn("ebs-missing", outcome.out)

    @waits(8)
    def test_missing_and_endpoint_down(self):
        simulator, machine = self.pair("endpoint_down", report={"deadline": "8s"},
                                       ebs={"data": {"device": "/dev/sdz", "deadline": "1s"}})
        self.ends(machine.run("run"), 4)
        name = only(machine.list("/run/muster/spool"))
        entry = machine.read_json("/run/muster/spool/" + name)
        self.is_failed(json.loads(entry["body"]), "ebs-missing", True)
        delivery = only(machine.read_json("/run/muster/status.json")["deliveries"])
        self.assertIs(delivery["delivered"], False)
        self.assertGreater(delivery["tries"], 1)

    def test_metadata_switched_off(self):
        simulator, machine = self.pair("disabled", metadata={"deadline": "2000s"}, **ENDLESS)
        self.ends(machine.run("run"), 1)
        report = simulator.taken()[-1]
        self.is_failed(report, "metadata-unavailable", True)
        self.assertIn("switched off", report["reason"]["message"])
        self.assertEqual(report["instance"]["id"], None)
        self.assertTrue(simulator.requests()[-1]["headers"]["Idempotency-Key"]
                        .startswith("unknown/"))

    @waits(3)
    def test_metadata_never_there(self):
        for name, rule in (("refused", {"refuse": True}), ("silent", {"drop_connects": True})):
            with self.subTest(name):
                simulator, machine = self.pair({"metadata": [rule]}, metadata={"deadline": "2s"}, **ENDLESS)
                outcome = self.ends(machine.run("run"), 1)
                self.assertGreater(outcome.seconds, 0.5)
                self.is_failed(simulator.taken()[-1], "metadata-unavailable", True)

    def test_no_network(self):
        """No route is told apart from nobody listening, and the report is kept."""
        simulator, machine = self.pair(
            metadata={"endpoint": "http://169.254.169.254", "deadline": "1s"},
            report={"deadline": "1s"})
        self.ends(machine.run("run", prefix=("unshare", "--net")), 4)
        report = machine.read_json("/run/muster/report.json")
        self.is_failed(report, "metadata-unavailable", True)
        self.assertIn("unreachable", report["metadata"]["failures"])
        self.assertEqual(len(machine.list("/run/muster/spool")), 1)

    @waits(10)
    def test_metadata_unstable(self):
        simulator, machine = self.pair({"metadata": [
            {"path": "meta-data/block-device-mapping/", "repeat": True, "sequence": [
                "right", {"body": "ami\nebs1"}]}]}, metadata={"deadline": "10s"})
        self.ends(machine.run("run"), 1)
        self.is_failed(simulator.taken()[-1], "metadata-unstable", True)

    def test_report_is_never_too_large(self):
        ebs = {f"volume-{number:03}-{'x' * 50}": {"device": f"/dev/sd{chr(97 + number % 26)}"
                                                            f"{chr(97 + number // 26)}",
                                                  "deadline": "1s"} for number in range(128)}
        simulator, machine = self.pair(ebs=ebs)
        machine.write("/etc/muster/conf.d/1.json",
                      {f"unknown-key-{number:03}-{'y' * 40}": 1 for number in range(300)})
        self.ends(machine.run("run"), 1)
        body = simulator.requests()[-1]["body"]
        self.assertLessEqual(len(body.encode()), 64 << 10)
        report = json.loads(body)
        self.is_failed(report, "ebs-missing", True)
        self.assertIs(report["truncated"], True)
        self.assertLessEqual(os.path.getsize(machine.path("/run/muster/status.json")), 65 << 10)


if __name__ == "__main__":
    unittest.main()
