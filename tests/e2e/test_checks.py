"""The owner's own programs, configured and in /etc/muster/checks.d, run by the real binary."""

import json
import os
import unittest

from case import Case, waits
from machine import only

REQUIRED = "/etc/muster/checks.d/required.d"
WANTED = "/etc/muster/checks.d/wanted.d"


def shell(script, **keys):
    return {"command": ["/bin/sh", "-c", script], "deadline": "200s", **keys}


def checks_of(report):
    return {finding["subject"]: finding for finding in report["findings"]
            if finding["check"] == "check"}


class Checks(Case):
    def program(self, machine, path, text, mode=0o755, owner=0):
        """Written as root of whatever namespace this is."""
        machine.write(path, text)
        os.chmod(machine.path(path), mode)
        if owner:
            os.chown(machine.path(path), owner, -1)
        for folder in ("/etc/muster/checks.d", os.path.dirname(path)):
            os.chmod(machine.path(folder), 0o755)

    def ran(self, status, checks, **changes):
        """The checks' findings, and the report, of a run."""
        simulator, machine = self.pair(checks=checks, **changes)
        outcome = self.ends(machine.run("run"), status)
        report = simulator.taken()[-1]
        return checks_of(report), report, outcome

    def test_passing(self):
        found, report, _ = self.ran(0, {
            "true": {"command": ["/bin/true"]},
            # Nothing but what it is given: no terminal, no environment of ours, the root folder.
            "surroundings": shell('test "$(/usr/bin/env | sort)" = "'
                                  'LC_ALL=C\nPATH=$PATH\nPWD=/" && test -n "$PATH" && '
                                  'test "$PWD" = / && ! read line')})
        self.is_ready(report)
        for finding in found.values():
            self.assertEqual((finding["status"], finding["gating"]), ("pass", True), finding)
            self.assertEqual(finding["evidence"]["exit_status"], 0)
        stages = [timing["stage"] for timing in report["timings"]]
        self.assertCountEqual(stages[-2:], ["check surroundings", "check true"])

    def test_failing(self):
        script = "echo out; printf 'first\\nno such host \\377\\n' >&2; exit 3"
        found, report, outcome = self.ran(1, {"dns": shell(script + " # hunter2")})
        self.is_failed(report, "check-failed", False)
        self.assertEqual(report["reason"]["message"],
                         'dns: /bin/sh ended with status 3, expected 0; it said "no such host ?"')
        evidence = found["dns"]["evidence"]
        self.assertEqual((evidence["exit_status"], evidence["out"], evidence["err"]),
                         (3, "out\n", "first\nno such host \ufffd\n"))
        self.assertGreaterEqual(evidence["seconds"], 0)
        # An argument may be a secret.
        self.assertNotIn("hunter2", json.dumps(report) + outcome.out + outcome.err)

    def test_what_the_owner_says_of_a_failure(self):
        bad = shell("exit 1")
        with self.subTest("recreate"):
            _, report, _ = self.ran(1, {"a": bad, "b": {**bad, "recreate": True}})
            self.is_failed(report, "check-failed", True)
            self.assertTrue(report["reason"]["message"].startswith("b: "))
        with self.subTest("not required"):
            found, report, _ = self.ran(0, {"a": {**bad, "required": False, "recreate": True}})
            self.is_ready(report)
            self.assertEqual((found["a"]["status"], found["a"]["gating"]), ("fail", False))
        with self.subTest("observe"):
            _, report, _ = self.ran(1, {"a": {**bad, "recreate": True}}, mode="observe")
            self.is_failed(report, "check-failed", True)
            self.assertIs(report["enforced"], False)

    @waits(8)
    def test_hanging(self):
        """It is told what it said before, its children are gone, and the rest went on meanwhile: each waits for the
        other before it goes on."""
        met = "touch /run/{0}; until test -e /run/{1}; do sleep 0.1; done; "
        simulator, machine = self.pair(checks={
            "hangs": shell(met.format("one", "other") + "echo resolving; sleep 2000 & wait", deadline="8s"),
            "other": shell(met.format("other", "one"))})
        self.ends(machine.run("run"), 1)
        report = simulator.taken()[-1]
        self.is_failed(report, "check-failed", False)
        found = checks_of(report)
        self.assertEqual(found["hangs"]["message"], "hangs: /bin/sh had not ended by its deadline, "
                                                    '8.0 s; it said "resolving"')
        self.assertEqual(found["hangs"]["evidence"]["out"], "resolving\n")
        self.assertGreaterEqual(found["hangs"]["evidence"]["seconds"], 7.9)
        self.assertEqual(found["other"]["status"], "pass")
        machine.wait_until_idle()

    @waits(20)
    def test_the_job_has_no_more_time(self):
        """One that resists, too: the reason is the check, with its own advice, not the job that was late for it."""
        simulator, machine = self.pair(
            deadline="80s", report={"deadline": "60s"},
            checks={"hangs": shell("trap '' TERM; while :; do sleep 0.1; done", deadline="2000s")})
        self.ends(machine.run("run"), 1)
        report = simulator.taken()[-1]
        self.is_failed(report, "check-failed", False)
        self.assertIn("when the time for all was up", report["reason"]["message"])

    def test_that_cannot_be_run(self):
        simulator, machine = self.pair(checks={
            "missing": {"command": ["/usr/local/bin/none", "hunter2"]},
            "no-program": {"command": ["/etc/muster/plain"]},
            "no-shebang": {"command": ["/etc/muster/script"]}})
        machine.write("/etc/muster/plain", "exit 0\n")
        machine.write("/etc/muster/script", "exit 0\n")
        os.chmod(machine.path("/etc/muster/script"), 0o755)
        self.ends(machine.run("run"), 1)
        report = simulator.taken()[-1]
        self.is_failed(report, "check-failed", False)
        found = checks_of(report)
        for name, words in (("missing", "/usr/local/bin/none is not there"),
                            ("no-program", "/etc/muster/plain may not be run"),
                            ("no-shebang", "begins with #!")):
            self.assertIn(words, found[name]["message"])
            self.assertEqual(found[name]["code"], "check-failed")
        self.assertNotIn("hunter2", json.dumps(report))

    def test_much_output(self):
        found, report, _ = self.ran(1, {f"c{number}": shell(
            "head -c 9000000 /dev/zero | tr '\\0' x; echo end; exit 1") for number in range(20)})
        self.is_failed(report, "check-failed", False)
        self.assertEqual(len(found), 20)  # evidence goes first where a report gets too long
        self.assertLessEqual(len(json.dumps(report)), 64 << 10)
        found, _, _ = self.ran(1, {"c": shell("yes | head -c 9000000; echo end; exit 1")})
        self.assertEqual(len(found["c"]["evidence"]["out"]), 2048)
        self.assertTrue(found["c"]["evidence"]["out"].endswith("y\nend\n"))

    def test_not_run_where_the_machine_is_not_well(self):
        simulator, machine = self.pair(
            ebs={"data": {"device": "/dev/sdz", "deadline": "1s"}},
            checks={"a": shell("echo ran >/run/ran", recreate=True)})
        self.ends(machine.run("run"), 1)
        report = simulator.taken()[-1]
        self.is_failed(report, "ebs-missing", True)
        note = only(checks_of(report).values())
        self.assertEqual((note["subject"], note["status"], note["gating"]),
                         ("all checks", "unknown", False))
        self.assertIn("ebs data (ebs-missing)", note["message"])
        self.assertFalse(os.path.exists(machine.path("/run/ran")))

    def test_folders(self):
        simulator, machine = self.pair(checks={"10-good": {"command": ["/bin/true"]}})
        log = "#!/bin/sh\necho $0 >>/run/log\n"
        self.program(machine, f"{REQUIRED}/10-good", log)
        self.program(machine, f"{REQUIRED}/20-python", "#!/usr/bin/python3 -S\n")
        for name in (".hidden", "old~", "10-good.dpkg-dist", "10-good.rpmsave"):
            self.program(machine, f"{REQUIRED}/{name}", log + "exit 1\n")
        self.program(machine, f"{WANTED}/10-bad", log + "echo wanted; exit 4\n")
        self.ends(machine.run("run"), 0)
        report = simulator.taken()[-1]
        self.is_ready(report)
        found = checks_of(report)
        self.assertEqual(sorted(found), ["10-good", "required.d/10-good", "required.d/20-python",
                                         "wanted.d/10-bad"])
        bad = found["wanted.d/10-bad"]
        self.assertEqual((bad["status"], bad["gating"]), ("fail", False))
        self.assertIn(f"{WANTED}/10-bad ended with status 4", bad["message"])
        self.assertEqual(sorted(machine.read("/run/log").split()),
                         [f"{REQUIRED}/10-good", f"{WANTED}/10-bad"])
        self.program(machine, f"{REQUIRED}/30-bad", "#!/bin/sh\nexit 1\n")
        self.ends(machine.run("run"), 1)
        self.is_failed(simulator.taken()[-1], "check-failed", False)

    def test_files_that_root_is_not_to_run(self):
        with open("/proc/self/uid_map", encoding="ascii") as file:
            alone = int(file.read().split()[2]) == 1  # no other user to give a file to
        for name, mode, owner, words in (("group", 0o775, 0, "chmod go-w"),
                                         ("plain", 0o644, 0, "not executable"),
                                         ("others", 0o755, 12345, "belongs to user 12345")):
            if owner and alone:
                continue
            with self.subTest(name):
                simulator, machine = self.pair()
                text = "#!/bin/sh\necho ran >/run/ran\n"
                self.program(machine, f"{WANTED}/{name}", text, mode, owner)
                self.ends(machine.run("run"), 0)
                finding = checks_of(simulator.taken()[-1])[f"wanted.d/{name}"]
                self.assertEqual((finding["code"], finding["gating"]), ("check-failed", False))
                self.assertIn(f"{WANTED}/{name} ", finding["message"])
                self.assertIn(words, finding["message"])
                self.program(machine, f"{REQUIRED}/{name}", text, mode, owner)
                self.ends(machine.run("run"), 1)
                self.is_failed(simulator.taken()[-1], "check-failed", False)
                self.assertFalse(os.path.exists(machine.path("/run/ran")))

    def test_a_folder_that_others_may_write(self):
        simulator, machine = self.pair()
        self.program(machine, f"{REQUIRED}/10-x", "#!/bin/sh\necho ran >/run/ran\n")
        os.chmod(machine.path(REQUIRED), 0o777)
        self.ends(machine.run("run"), 1)
        self.is_failed(simulator.taken()[-1], "check-failed", False)
        self.assertIn(REQUIRED, simulator.taken()[-1]["reason"]["message"])
        self.assertFalse(os.path.exists(machine.path("/run/ran")))

    def test_probe(self):
        simulator, machine = self.pair(checks={"a": {"command": ["/bin/true"]}})
        self.program(machine, f"{WANTED}/b", "#!/bin/sh\nexit 1\n")
        shown = json.loads(self.ends(machine.run("probe", "checks", "--json"), 0).out)
        self.assertEqual({finding["subject"]: finding["status"] for finding in shown["findings"]},
                         {"a": "pass", "wanted.d/b": "fail"})
        self.assertEqual(simulator.state()["metadata"]["requests"], 0)
        self.program(machine, f"{REQUIRED}/c", "#!/bin/sh\necho why; exit 1\n")
        outcome = self.ends(machine.run("probe"), 1)
        self.assertIn("fail    check required.d/c: ", outcome.out)
        self.assertIn('it said "why"', outcome.out)
        self.assertIn("pass    root mount", outcome.out)


if __name__ == "__main__":
    unittest.main()
