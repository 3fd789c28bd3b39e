"""`muster tune`: from the reports of a fleet to a configuration that `muster config` takes."""

import json
import os
import random
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

from case import Case
from machine import BINARY, patience


def report(boot, **waits):
    """A verdict as a sink gets it. A wait that is None was given up after 100 s."""
    return {"schema": "muster.report/1", "outcome": "ready", "recreate": False,
            "instance": {"id": "i-%017x" % boot}, "boot_id": "boot-%d" % boot, "sequence": 2,
            "waits": [{"for": name.replace("_", " "), "seconds": 100 if seconds is None else seconds,
                       "polls": 3, "outcome": "gave up" if seconds is None else "found"}
                      for name, seconds in waits.items()]}


def fleet(count, seed=1):
    """Volumes that attach in 9 to 20 s, one in a hundred never."""
    chance = random.Random(seed)
    for boot in range(count):
        attached = None if boot % 100 == 7 else round(8.7 + chance.lognormvariate(0.7, 0.6), 3)
        yield report(boot, metadata=round(chance.uniform(0.4, 0.9), 3), ebs_data=attached,
                     ephemeral_disks=0.3)


def text_of(reports):
    return "".join(json.dumps(one) + "\n" for one in reports)


class Tune(Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="muster-tune-")
        self.addCleanup(self.folder.cleanup)

    def file(self, name, content=None):
        path = os.path.join(self.folder.name, name)
        if content is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
        return path

    def tune(self, status, *words, given=""):
        """It needs nothing of a machine; of this one's configuration it must not know, either."""
        words = ["tune", *words]
        if "--config" not in words:
            words += ["--config", self.file("empty.json", "{}")]
        done = subprocess.run([BINARY, *words], input=given, capture_output=True, text=True,
                              timeout=patience(120), check=False, cwd=self.folder.name)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def test_to_a_configuration(self):
        reports = self.file("reports.jsonl", text_of(fleet(1500)))
        base = self.file("fleet.json", json.dumps(
            {"ebs": {"data": {"device": "/dev/sdf"}, "logs": {"device": "/dev/sdg"}}}))
        done = self.tune(0, reports, "--config", base, "--fragment", "learned.json", "--svg",
                         "curves.svg")
        self.assertIn("1500 boots\n", done.stdout)
        self.assertIn("ebs data: 1500 waits, 1485 found, 15 given up", done.stdout)
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 80)

        learned = self.file("learned.json")
        self.assertEqual(os.stat(learned).st_mode & 0o777, 0o600)
        config = subprocess.run([BINARY, "config", "--config", base, "--config", learned],
                                capture_output=True, text=True, check=False)
        self.assertEqual(config.returncode, 0, config.stdout)
        volume = json.loads(config.stdout)["ebs"]["data"]
        self.assertEqual(volume["device"], "/dev/sdf")
        # None came before 8.7 s, nearly all by 20; one in a hundred is not worth 100 s.
        first = int(re.fullmatch(r"(\d+)ms", volume["polls"][0]).group(1))
        self.assertTrue(8700 < first < 11000, first)
        self.assertTrue(15 <= int(volume["deadline"][:-1]) <= 60, volume["deadline"])
        self.assertIsNone(json.loads(config.stdout)["ebs"]["logs"]["polls"])
        drawn = xml.etree.ElementTree.parse(self.file("curves.svg"))
        texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("ebs data: 1500 waits, 15 given up", texts)

    def test_json(self):
        shown = json.loads(self.tune(0, "-", "--json", given=text_of(fleet(600))).stdout)
        self.assertEqual(shown["boots"], 600)
        waits = {wait["for"]: wait for wait in shown["waits"]}
        self.assertEqual(set(waits), {"metadata", "ebs data", "ephemeral disks"})
        data = waits["ebs data"]
        self.assertEqual((data["waits"], data["found"], data["gave_up"]), (600, 594, 6))
        self.assertIsNone(data["quantiles"]["0.999"], "nobody saw it")
        self.assertLess(data["this_schedule"]["looks"], data["each_second"]["looks"])
        self.assertLess(data["this_schedule"]["too_late_seconds"],
                        data["doubling"]["too_late_seconds"])

    def test_too_little(self):
        done = self.tune(1, "-", "--fragment", "x.json", given=text_of(fleet(250)))
        self.assertIn("too few to conclude from: 247 that were found, wanted are 299", done.stdout)
        self.assertIn("no fragment is written", done.stderr)
        self.assertFalse(os.path.exists(self.file("x.json")))
        self.assertIn("0 boots", self.tune(1, "-").stdout)

    def test_what_is_no_report(self):
        mess = ['{"schema": "muster.report/1"', "[]", "nonsense", "x" * (2 << 20), "",
                json.dumps(report(1, ebs_data=-5)), '{"outcome": "ready"}']
        once = list(fleet(400))
        text = "\n".join(mess) + "\n" + text_of(once) + text_of(once[:30])
        done = self.tune(0, self.file("mess.jsonl", text))
        self.assertIn("400 boots, 30 of a boot counted before, 6 lines that are no report",
                      done.stdout)
        self.assertIn("mess.jsonl:1: not a JSON object", done.stdout)

    def test_by_kind(self):
        # Two volumes of 200 boots each: enough for neither, and for both together.
        reports = [report(boot, **{"ebs_" + name: 9 + boot % 7 / 10})
                   for boot, name in enumerate(["a", "b"] * 200)]
        self.tune(1, "-", given=text_of(reports))
        base = self.file("fleet.json", json.dumps(
            {"ebs": {"a": {"device": "/dev/sdf"}, "b": {"device": "/dev/sdg"}}}))
        self.tune(0, "-", "--by-kind", "--config", base, "--fragment", "learned.json",
                  given=text_of(reports))
        with open(self.file("learned.json"), encoding="utf-8") as file:
            comment, _, learned = file.read().partition("\n")
        self.assertTrue(comment.startswith("// By muster tune."))
        self.assertEqual(set(json.loads(learned)["ebs"]), {"a", "b"})

    def test_a_volume_that_no_configuration_names(self):
        done = self.tune(0, "-", "--fragment", "learned.json", given=text_of(fleet(600)))
        self.assertIn("ebs data: the configuration's `ebs` names no such volume", done.stderr)
        with open(self.file("learned.json"), encoding="utf-8") as file:
            learned = json.loads(file.read().partition("\n")[2])
        self.assertEqual(set(learned), {"metadata", "ephemeral"})

    def test_files_that_are_not_there(self):
        self.assertIn("nowhere.jsonl", self.tune(2, "nowhere.jsonl").stderr)
        self.assertIn("expected files", self.tune(2).stderr)
        self.tune(2, "-", "--svg", "/proc/x.svg", given=text_of(fleet(400)))
        self.assertIn("nowhere.json", self.tune(
            2, "-", "--config", "/nowhere.json", "--fragment", "x.json",
            given=text_of(fleet(400))).stderr)

    def test_the_agents_own_report(self):
        _, machine = self.pair()
        self.ends(machine.run("run"), 0)
        own = machine.read("/run/muster/report.json")
        shown = json.loads(self.tune(1, "-", "--json", given=own + "\n" + own).stdout)
        self.assertEqual((shown["boots"], shown["counted_before"]), (1, 1))
        self.assertEqual([wait["for"] for wait in shown["waits"]], ["metadata"])


if __name__ == "__main__":
    unittest.main()
