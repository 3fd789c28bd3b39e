"""Configuration that is wrong: one line that names file, key and expectation; nothing is touched;
the verdict goes to the sinks of the last layer that was right."""

import os
import unittest

from case import Case
from machine import configuration, merged, only

BAD = "/etc/muster/conf.d/50-bad.json"

# What stands in the file, the key (or place) that is named, and what was expected.
ROWS = [
    ("no JSON", "{ nonsense", "line 1", "expected"),
    ("cut short", '{"mode": "enforce"', "line 1", "expected"),
    ("empty file", "", "line 1", "expected"),
    ("a list", "[]", "", "expected"),
    ("a key twice", '{"mode": "enforce",\n "mode": "enforce"}', "mode", "twice"),
    ("no UTF-8", b'{"mode": "\xff\xfe"}', "", "UTF-8"),
    ("mode of another name", '{"mode": "enforcing"}', "mode", '"observe"'),
    ("number for a text", '{"mode": 3}', "mode", '"enforce"'),
    ("duration without unit", '{"deadline": "300"}', "deadline", '"100s"'),
    ("duration that is a number", '{"deadline": 300}', "deadline", '"100s"'),
    ("no time at all", '{"deadline": "0s"}', "deadline", "between 1s and 48h"),
    ("far too long", '{"deadline": "999999999999h"}', "deadline", "between 1s and 48h"),
    ("report as long as all", '{"report": {"deadline": "300s"}}', "report.deadline",
     "less than `deadline`"),
    ("https metadata", '{"metadata": {"endpoint": "https://169.254.169.254"}}',
     "metadata.endpoint", "http://"),
    ("no confirmation", '{"metadata": {"confirmations": 0}}', "metadata.confirmations",
     "between 1 and 100"),
    ("half a confirmation", '{"metadata": {"confirmations": 2.5}}', "metadata.confirmations",
     "whole number"),
    ("disks below zero", '{"ephemeral": {"expect": -1}}', "ephemeral.expect", "expected"),
    ("wiping, misspelt", '{"ephemeral": {"on_foreign_data": "wipe-all"}}', "ephemeral.on_foreign_data",
     "wipe-preformatted"),
    ("group of an odd name", '{"ephemeral": {"volume_group": "../x"}}',
     "ephemeral.volume_group", "expected"),
    ("size of nothing", '{"ephemeral": {"volumes": {"scratch": {"size": "0%"}}}}',
     "ephemeral.volumes.scratch.size", "expected"),
    ("shares beyond the whole", '{"ephemeral": {"volumes": {"b": {"mount": "/mnt/b"}}}}',
     "ephemeral.volumes", "at most 100%"),
    ("unknown filesystem", '{"ephemeral": {"volumes": {"scratch": {"filesystem": "zfs"}}}}',
     "ephemeral.volumes.scratch.filesystem", '"ext4"'),
    ("relative mount point", '{"ephemeral": {"volumes": {"scratch": {"mount": "mnt"}}}}',
     "ephemeral.volumes.scratch.mount", "absolute path"),
    ("volume without a name of its own", '{"ebs": {"data": {}}}', "ebs.data", "`volume_id`"),
    ("volume id", '{"ebs": {"data": {"volume_id": "snap-1"}}}', "ebs.data.volume_id", "vol-"),
    ("a check by PATH", '{"checks": {"a": {"command": ["nginx", "-t"]}}}', "checks.a.command",
     "absolute path"),
    ("a check of nothing", '{"checks": {"a": {"required": false}}}', "checks.a.command",
     "absolute path"),
    ("sink without address", '{"report": {"to": {"b": {"type": "webhook"}}}}', "report.to.b.url",
     "expected"),
    ("sink of no type", '{"report": {"to": {"b": {"path": "/x"}}}}', "report.to.b.type",
     '"webhook"'),
    ("queue without TLS", '{"report": {"to": {"b": {"type": "sqs", "queue_url": "http://x/"}}}}',
     "report.to.b.queue_url", "https://"),
    ("ca_file without https", '{"report": {"to": {"scaler": {"ca_file": "/x"}}}}',
     "report.to.scaler.ca_file", "http://"),
    ("identity without https", '{"report": {"to": {"scaler": {"identity": true}}}}',
     "report.to.scaler.identity", "http://"),
    ("a hold on a disk", '{"hold": {"file": "/etc/hold"}}', "hold.file", "beneath /run"),
]


class Config(Case):
    def check(self, machine, simulator, file, key, expected):
        outcome = self.ends(machine.run("run"), 2)
        lines = outcome.err.splitlines()
        mistake = only(line for line in lines if "mistake" in line).replace('\\"', '"')
        for text in (file, key, expected):
            self.assertIn(text, mistake)
        self.assertEqual(len(lines), 1, outcome)
        report = only(simulator.requests())["json"]
        self.is_failed(report, "config-invalid", False)
        self.assertIn(key, report["reason"]["message"])
        self.assertEqual(simulator.state()["metadata"]["connections"], 0)
        self.assertFalse(os.path.exists(machine.path("/run/muster/disks.lock")))
        return report

    def rows(self, part):
        for name, content, key, expected in ROWS[part::4]:
            with self.subTest(name):
                simulator, machine = self.pair()
                machine.write(BAD, content)
                self.check(machine, simulator, BAD, key, expected)
                # The same, for a person.
                outcome = self.ends(machine.run("config"), 2)
                self.assertIn(BAD, outcome.out + outcome.err)

    def test_table_1(self):
        self.assertGreaterEqual(len(ROWS), 20)
        self.rows(0)

    def test_table_2(self):
        self.rows(1)

    def test_table_3(self):
        self.rows(2)

    def test_table_4(self):
        self.rows(3)

    def test_a_file_that_cannot_be_read(self):
        for name, make in (
                ("a folder", lambda path: os.mkdir(path)),
                ("too large", lambda path: open(path, "wb").write(b" " * ((1 << 20) + 1))),
                ("a loop of links", lambda path: os.symlink(os.path.basename(path), path))):
            with self.subTest(name):
                simulator, machine = self.pair()
                make(machine.path(BAD))
                self.check(machine, simulator, BAD, "", "")

    def test_several_mistakes_are_all_told(self):
        simulator, machine = self.pair()
        machine.write(BAD, '{"mode": 1, "deadline": 2}')
        outcome = self.ends(machine.run("run"), 2)
        self.assertEqual(len([line for line in outcome.err.splitlines() if BAD in line]), 2)
        findings = only(simulator.taken())["findings"]
        self.assertEqual([finding["subject"] for finding in findings], ["deadline", "mode"])

    def test_the_layer_before_the_wrong_one_says_where(self):
        simulator, machine = self.pair()
        other = self.simulator()
        machine.write(BAD, {"mode": "x"})
        machine.write("/etc/muster/conf.d/60.json", {"report": {"to": {"scaler": {
            "url": other.endpoint}}}})
        self.ends(machine.run("run"), 2)
        self.is_failed(only(simulator.taken()), "config-invalid", False)
        self.assertEqual(other.requests(), [])

    def test_the_only_file_is_wrong(self):
        simulator, machine = self.pair()
        machine.configure(merged(configuration(simulator), {
            "mode": "observe", "ebs": {"data": {"volume_id": "vol-0123456789abcdef0", "min_size": "100 GB"}}}))
        self.ends(machine.run("run"), 2)
        report = only(simulator.taken())
        self.is_failed(report, "config-invalid", False)
        self.assertFalse(report["enforced"])
        self.assertEqual(simulator.state()["metadata"]["connections"], 0)

    def test_the_mistake_is_among_the_sinks(self):
        simulator, machine = self.pair()
        machine.configure(merged(configuration(simulator), {"report": {"to": {"scaler": {"url": "nowhere"}}}}))
        self.ends(machine.run("run"), 2)
        self.assertEqual(simulator.requests(), [])
        self.is_failed(machine.read_json("/run/muster/report.json"), "config-invalid", False)

    def test_endpoint_down_too(self):
        simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"})
        machine.write(BAD, {"mode": "x"})
        self.ends(machine.run("run"), 2)
        self.assertEqual(len(machine.list("/run/muster/spool")), 1)
        # What is to be told is just that the configuration is wrong, so that keeps nobody from sending it.
        simulator.swap({"endpoint": []})
        outcome = self.ends(machine.run("deliver", "--for", "100s"), 2)
        self.assertIn(BAD, outcome.err)
        self.is_failed(only(simulator.requests())["json"], "config-invalid", False)
        self.assertEqual(machine.list("/run/muster/spool"), [])

    def test_named_files(self):
        simulator, machine = self.pair()
        machine.write("/run/a.json", configuration(simulator))
        machine.write("/run/b.json", {"mode": "observe"})
        machine.write(BAD, "{ wrong, but not asked for")
        self.ends(machine.run("run", "--config", "/run/a.json", "--config=/run/b.json"), 0)
        self.assertIs(simulator.taken()[-1]["enforced"], False)
        missing = self.ends(machine.run("run", "--config", "/run/none.json"), 2)
        self.assertIn("/run/none.json", missing.err)

    def test_unknown_key(self):
        simulator, machine = self.pair()
        machine.write(BAD, {"reprot": {"deadline": "1s"}})
        outcome = self.ends(machine.run("run"), 0)
        report = simulator.taken()[-1]
        self.is_ready(report)
        finding = only(finding for finding in report["findings"] if finding["check"] == "config")
        self.assertEqual((finding["code"], finding["gating"], finding["subject"]),
                         ("config-unknown-key", False, "reprot"))
        self.assertIn(BAD, finding["message"])
        self.assertIn("reprot", outcome.err)
        self.assertEqual(self.ends(machine.run("config"), 2).status, 2)

    def test_unknown_key_under_ephemeral(self):
        """Nothing is to be written here anyhow; that it forbids writing is boot_test's."""
        simulator, machine = self.pair()
        machine.write(BAD, {"ephemeral": {"epxect": 4}})
        self.ends(machine.run("run"), 0)
        finding = only(finding for finding in simulator.taken()[-1]["findings"]
                       if finding["check"] == "config")
        self.assertEqual(finding["code"], "config-unknown-key")


class Usage(Case):
    def test_usage(self):
        machine = self.machine()
        for words, text in ((["rnu"], '"rnu"'), ([], "no command"), (["run", "--frob"], "--frob"),
                            (["run", "now"], '"now"'), (["run", "--config"], "--config"),
                            (["--log-level", "loud", "run"], '"loud"'),
                            (["tune"], "expected files"), (["config", "--json"], "--json"),
                            (["probe", "disk"], '"disk"'),
                            (["run", "--test"], "--test for run"),
                            (["run", "--svg", "x"], "--svg"),
                            (["status", "--svg"], "--svg")):
            with self.subTest(words):
                outcome = self.ends(machine.run(*words), 2)
                self.assertEqual(outcome.out, "")
                self.assertEqual(len(outcome.err.splitlines()), 1, outcome)
                self.assertIn(text, outcome.err)
        self.assertEqual(machine.list("/run/muster"), [])
        for words in (["--help"], ["help"], ["run", "-h"], ["--version"]):
            outcome = self.ends(machine.run(*words), 0)
            self.assertEqual(outcome.err, "")
            self.assertTrue(outcome.out)


if __name__ == "__main__":
    unittest.main()
