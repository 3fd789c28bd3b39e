"""The commands that change nothing: JSON on standard output and nothing else, and exit status."""

import json
import os
import pty
import termios
import unittest
import xml.etree.ElementTree

from case import Case, waits
from machine import configuration


class Commands(Case):
    def json_of(self, machine, status, *words):
        outcome = self.ends(machine.run(*words, "--json", "--log-level", "debug"), status)
        return json.loads(outcome.out)

    def test_run(self):
        simulator, machine = self.pair()
        printed = self.json_of(machine, 0, "run")
        self.assertEqual(printed, simulator.taken()[-1])
        text = self.ends(machine.run("run"), 0).out
        self.assertIn("i-0123456789abcdef0 ready", text)
        self.assertIn("metadata", text)

    def test_a_terminal_that_was_stopped(self):
        """Ctrl-S: nothing that is written to it comes back."""
        simulator, machine = self.pair()
        ours, terminal = pty.openpty()
        try:
            termios.tcflow(terminal, termios.TCOOFF)
            self.ends(machine.end(machine.start("run", stderr=terminal)), 0)
        finally:
            termios.tcflow(terminal, termios.TCOON)
            os.close(ours)
            os.close(terminal)
        self.is_ready(simulator.taken()[-1])

    def test_run_with_a_wrong_configuration(self):
        simulator, machine = self.pair()
        machine.write("/etc/muster/conf.d/1.json", {"mode": "x"})
        self.is_failed(self.json_of(machine, 2, "run"), "config-invalid", False)
        for command in ("plan", "metadata", "probe"):
            outcome = self.ends(machine.run(command, "--json"), 2)
            self.assertEqual(outcome.out, "")
            self.assertIn("conf.d/1.json", outcome.err)
        self.ends(machine.run("deliver"), 2)

    def test_plan(self):
        _, machine = self.pair()
        plan = self.json_of(machine, 0, "plan")
        self.assertEqual((plan["steps"], plan["refusals"]), ([], []))
        self.assertEqual(self.ends(machine.run("plan"), 0).out, "nothing to do\n")

    @waits(5)
    def test_metadata(self):
        # The command has four times absence_span and two seconds for all values.
        simulator, machine = self.pair(metadata={"absence_span": "2s"})
        shown = self.json_of(machine, 0, "metadata")
        self.assertEqual(shown["instance"]["id"], "i-0123456789abcdef0")
        self.assertEqual(shown["block-device-mapping"]["ephemeral0"], "sdb")
        self.assertGreater(shown["requests"], 3)
        values = {row["name"]: row for row in shown["values"]}
        self.assertEqual(values["placement/availability-zone-id"]["value"], "euw1-az2")
        self.assertEqual(values["placement/availability-zone-id"]["readings"], 3)
        self.assertEqual(values["instance-life-cycle"]["value"], "on-demand")
        self.assertEqual(values["services/partition"]["value"], "aws")
        self.assertEqual(values["events/maintenance/scheduled"]["value"], [])
        for absent in ("tags/instance", "iam/security-credentials", "spot/instance-action",
                       "autoscaling/target-lifecycle-state", "user-data"):
            self.assertEqual(values[absent]["status"], "absent")
            self.assertIsNone(values[absent]["value"])
        self.assertEqual(shown["endpoint"], simulator.metadata)
        text = self.ends(machine.run("metadata"), 0).out
        self.assertIn("i-0123456789abcdef0", text)
        self.assertIn('"ephemeral0":"sdb"', text)
        self.assertIn("(there is none)", text)
        self.assertIn("fixed, 3 readings", text)

    def test_metadata_secrets(self):
        """Nothing that opens a door is printed, in any form, nor logged."""
        simulator, machine = self.pair({"extends": "healthy.json", "instance": {
            "iam": {"security-credentials": {"worker": {"$json": {
                "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIAKEYID",
                "SecretAccessKey": "s3cret", "Token": "t0ken",
                "Expiration": "${now+3600}"}}}},
            "tags": {"instance": {"Name": "worker-7"}},
            "user-data": "#cloud-config\npassword: hunter2\n"}})
        for words in (("metadata",), ("metadata", "--json")):
            outcome = self.ends(machine.run(*words, "--log-level", "debug"), 0)
            for secret in ("ASIAKEYID", "s3cret", "t0ken", "hunter2"):
                self.assertNotIn(secret, outcome.out + outcome.err)
            for known in ("worker-7", "#cloud-config", '"worker"'):
                self.assertIn(known, outcome.out)

    def test_metadata_that_contradicts_itself(self):
        simulator, machine = self.pair({"metadata": [
            {"path": "meta-data/instance-type", "body": "m7i.large"}]})
        shown = self.json_of(machine, 1, "metadata")
        finding = shown["findings"][-1]
        self.assertEqual((finding["code"], finding["subject"]),
                         ("metadata-unstable", "instance-type"))
        self.assertIn("m7i.large", finding["message"])
        self.assertIn("m1.xlarge", finding["message"])

    def test_without_a_token(self):
        simulator, machine = self.pair({"options": {"imdsv1": True}, "metadata": [
            {"path": "/latest/api/token", "status": 404}]},
            metadata={"imdsv1": True})
        shown = self.json_of(machine, 0, "metadata")
        self.assertIs(shown["imdsv1"], True)
        self.ends(machine.run("run"), 0)
        self.assertIs(simulator.taken()[-1]["metadata"]["imdsv1"], True)

    def test_metadata_off(self):
        _, machine = self.pair("disabled")
        shown = self.json_of(machine, 1, "metadata")
        self.assertIsNone(shown["block-device-mapping"])
        self.assertIsNone(shown["instance"]["id"], "unknown is not an empty text")
        self.assertEqual(shown["findings"][0]["code"], "metadata-unavailable")
        self.ends(machine.run("metadata"), 1)
        plan = self.json_of(machine, 1, "plan")
        self.assertEqual(plan["findings"][0]["code"], "metadata-unavailable")
        self.ends(machine.run("plan"), 1)

    def test_probe(self):
        simulator, machine = self.pair()
        shown = self.json_of(machine, 0, "probe", "root")
        # The kernel's evidence, where there is any, is this machine's own.
        self.assertEqual({finding["check"] for finding in shown["findings"]} - {"kernel"}, {"root"})
        self.assertEqual(simulator.state()["metadata"]["requests"], 0)
        self.json_of(machine, 0, "probe")
        machine.write("/etc/muster/conf.d/1.json",
                      {"ebs": {"data": {"device": "/dev/sdz", "deadline": "1s"}}})
        shown = self.json_of(machine, 1, "probe", "ebs")
        self.assertEqual(shown["findings"][-1]["code"], "ebs-missing")
        self.assertIn("ebs data", self.ends(machine.run("probe", "ebs"), 1).out)

    def test_status(self):
        _, machine = self.pair()
        none = self.ends(machine.run("status", "--json"), 1)
        self.assertEqual(none.out, "")
        self.assertIn("no outcome yet", none.err)
        self.ends(machine.run("run"), 0)
        shown = self.json_of(machine, 0, "status")
        self.assertEqual(shown.pop("spool"), [])
        self.assertEqual(shown, machine.read_json("/run/muster/status.json"))
        text = self.ends(machine.run("status"), 0).out
        self.assertIn("ready", text)
        self.assertLessEqual(max(map(len, text.splitlines()[-3:])), 80)
        # A column is a share of the run, and in the last one of a wait work may have begun.
        self.assertRegex(text, r"(?m)^\* metadata .*\| *\.+#? *\|")
        self.ends(machine.run("status", "--svg", "/run/boot.svg"), 0)
        drawn = xml.etree.ElementTree.fromstring(machine.read("/run/boot.svg"))
        texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("metadata", texts)
        self.assertTrue(texts[0].startswith("i-0123456789abcdef0: ready, "))
        self.ends(machine.run("status", "--svg", "/proc/boot.svg"), 2)

    def test_status_of_a_failure(self):
        _, machine = self.pair("disabled")
        self.ends(machine.run("run"), 1)
        self.assertIn("reason: metadata-unavailable", self.ends(machine.run("status"), 1).out)
        self.json_of(machine, 1, "status")

    def test_status_that_is_damaged(self):
        _, machine = self.pair()
        for content in ("", "{", "[]", "null", '"ready"', '{"outcome": 3}',
                        '{"outcome": "ready", "reason": 3, "recreate": "x", "findings": 7,'
                        ' "timings": {"a": 1}, "waits": [3], "metadata": [], "instance": 5}',
                        '{"waits": [{"polls": "x"}], "metadata": {"requests": "x",'
                        ' "failures": {"a": "b"}}, "timings": [{"start": -5, "end": 1e300}]}'):
            with self.subTest(content):
                machine.write("/run/muster/status.json", content)
                for words in (["status"], ["status", "--json"], ["status", "--svg", "/run/x.svg"]):
                    outcome = machine.run(*words)
                    self.assertIn(outcome.status, (0, 1), outcome)

    def test_config(self):
        simulator, machine = self.pair()
        shown = json.loads(self.ends(machine.run("config"), 0).out)
        self.assertEqual(shown["metadata"]["endpoint"], simulator.metadata)
        self.assertEqual(shown["ephemeral"]["expect"], "none")

    def test_the_journal_is_told_the_level(self):
        _, machine = self.pair("disabled")
        outcome = machine.run("run", env={"JOURNAL_STREAM": "8:1"})
        for line in outcome.err.splitlines():
            self.assertRegex(line, r"^<[3467]>")
        self.assertIn("<4>finding", outcome.err)


if __name__ == "__main__":
    unittest.main()
