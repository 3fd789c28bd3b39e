#!/usr/bin/python3
"""Reports that the real binary made, against docs/report.schema.json (Debian: python3-jsonschema)."""

import copy
import json
import os
import signal
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "e2e"))

import jsonschema  # noqa: E402
from case import Case  # noqa: E402
from machine import wait_for  # noqa: E402

with open(os.path.join(HERE, "..", "docs", "report.schema.json"), encoding="utf-8") as file:
    SCHEMA = json.load(file)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MISSING = {"data": {"device": "/dev/sdz", "deadline": "1s"}}


def problems(report):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
            for error in VALIDATOR.iter_errors(report)]


def described(schema, path=""):
    """Every property that has no description of its own."""
    missing = []
    for name, value in schema.get("properties", {}).items():
        if isinstance(value, dict):
            if "description" not in value and "$ref" not in value:
                missing.append(f"{path}/{name}")
            missing += described(value, f"{path}/{name}")
            missing += described(value.get("items", {}), f"{path}/{name}[]")
    for name, value in schema.get("$defs", {}).items():
        missing += described(value, f"{path}/{name}")
    return missing


class Schema(Case):
    def check(self, *reports):
        for report in reports:
            self.assertEqual(problems(report), [])

    def test_the_schema_itself(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        self.assertEqual(described(SCHEMA), [])

    def test_in_progress_and_failed(self):
        simulator, machine = self.pair(ebs=MISSING)
        self.announced(simulator, machine)
        reports = simulator.taken()
        self.assertEqual([report["outcome"] for report in reports], ["in-progress", "failed"])
        self.check(*reports, machine.read_json("/run/muster/report.json"))

    def test_ready(self):
        simulator, machine = self.pair()
        machine.run("run")
        self.assertEqual(simulator.taken()[-1]["outcome"], "ready")
        self.check(*simulator.taken())

    def test_observe(self):
        simulator, machine = self.pair(mode="observe")
        machine.run("run")
        self.assertIs(simulator.taken()[-1]["enforced"], False)
        self.check(*simulator.taken())

    def test_nothing_is_known(self):
        simulator, machine = self.pair("disabled")
        machine.run("run")
        self.check(*simulator.taken())

    def test_config_invalid_and_unknown_key(self):
        simulator, machine = self.pair()
        machine.write("/etc/muster/conf.d/1.json", {"mode": "x", "new-key": 1})
        machine.run("run")
        report = simulator.taken()[-1]
        self.assertEqual(report["reason"]["code"], "config-invalid")
        self.check(report)

    def test_checks(self):
        """Of each kind; a check's own `recreate` is in the report's, and no field of a finding."""
        checks = {name: {"command": ["/bin/sh", "-c", script], "deadline": deadline, "recreate": True}
                  for name, deadline, script in (("good", "200s", "exit 0"),
                                                 ("bad", "200s", "printf '\\377' >&2; exit 1"),
                                                 ("slow", "1s", "sleep 2000"))}
        simulator, machine = self.pair(checks=checks)
        machine.run("run")
        report = simulator.taken()[-1]
        self.assertEqual([report["reason"]["code"], report["recreate"]], ["check-failed", True])
        self.check(report)
        machine.write("/etc/muster/conf.d/1.json", {"ebs": MISSING})
        machine.run("run")
        self.assertIn("all checks", [finding["subject"] for finding in simulator.taken()[-1]["findings"]])
        self.check(simulator.taken()[-1])

    def test_superseded(self):
        simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"})
        machine.run("run")
        machine.run("run")
        simulator.swap({"endpoint": []})
        self.delivers(machine)
        self.assertEqual([report.get("superseded") for report in simulator.taken()], [True, None])
        self.check(*simulator.taken())

    def test_watch(self):
        simulator, machine = self.pair(
            watch={"interval": "1s", "bad": 1, "of": 1, "heartbeat": "1s"},
            root={"min_free_inodes": 1 << 50})
        process = machine.start("watch")
        wait_for(lambda: len(simulator.taken()) >= 3)
        simulator.swap({"instance": {"autoscaling": {"target-lifecycle-state": "Terminated"}}})
        machine.write("/etc/muster/conf.d/1.json", {"root": {"min_free_inodes": "0%"}})
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: {"recovered", "lifecycle"} <= {report.get("notice", {}).get("kind", report["outcome"])
                                                        for report in simulator.taken()})
        process.terminate()
        self.ends(machine.end(process), 0)
        reports = simulator.taken()
        self.assertEqual({report["outcome"] for report in reports},
                         {"degraded", "recovered", "notice", "stopping"})
        self.check(*reports)
        for report in reports:
            for change in ({"recreate": True}, {"verdict_by": report["time"]}):
                self.assertNotEqual(problems(report | change), [])
            self.assertNotEqual(problems(report | {"outcome": "ready"}), [])

    def test_truncated(self):
        simulator, machine = self.pair()
        machine.write("/etc/muster/conf.d/1.json",
                      {f"unknown-{number:03}-{'y' * 48}": 1 for number in range(500)})
        machine.run("run")
        report = simulator.taken()[-1]
        self.assertIs(report["truncated"], True)
        self.check(report)

    def test_what_it_refuses(self):
        simulator, machine = self.pair(ebs=MISSING)
        self.announced(simulator, machine)
        in_progress, failed = simulator.taken()
        wrong = []

        def change(report, function):
            changed = copy.deepcopy(report)
            function(changed)
            wrong.append(changed)

        for key in SCHEMA["required"]:
            change(failed, lambda report, key=key: report.pop(key))
        change(failed, lambda report: report.update(new=1))
        change(failed, lambda report: report["instance"].update(new=1))
        change(failed, lambda report: report.update(outcome="well"))
        change(failed, lambda report: report.update(outcome="ready"))
        change(failed, lambda report: report["reason"].update(code="bad-luck"))
        change(failed, lambda report: report.pop("reason"))
        change(failed, lambda report: report.update(verdict_by=report["time"]))
        change(failed, lambda report: report.update(time="yesterday"))
        change(failed, lambda report: report["findings"][0].update(status="perhaps"))
        change(failed, lambda report: report["findings"][0].update(status="fail"))
        change(failed, lambda report: report["findings"][0].update(code="internal"))
        change(failed, lambda report: report.update(sequence=0))
        change(failed, lambda report: report.update(superseded=False))
        change(in_progress, lambda report: report.pop("verdict_by"))
        change(in_progress, lambda report: report.update(recreate=True))
        for report in wrong:
            self.assertNotEqual(problems(report), [], report)


with open(os.path.join(HERE, "..", "docs", "openapi.json"), encoding="utf-8") as file:
    OPENAPI = json.load(file)


class Webhook(Case):
    """docs/openapi.json against what the agent sends, and what it makes of each kind of answer."""

    POST = OPENAPI["paths"]["/v1/reports"]["post"]

    def responses(self, kind):
        return {code for code, response in self.POST["responses"].items()
                if response.get("$ref", "").endswith("/" + kind)}

    def test_request(self):
        simulator, machine = self.pair(report={"to": {"scaler": {"token_file": "/etc/muster/token"}}})
        machine.write("/etc/muster/token", "a-token-of-the-test\n")
        self.ends(self.announced(simulator, machine), 0)
        content = self.POST["requestBody"]["content"]
        self.assertEqual(content["application/json"]["schema"], {"$ref": "report.schema.json"})
        requests = simulator.requests()
        self.assertEqual(len(requests), 2)
        for request in requests:
            self.assertEqual([request["method"], request["path"]], ["POST", "/v1/reports"])
            headers = request["headers"]
            self.assertIn(headers["Content-Type"], content)
            self.assertEqual(headers["Authorization"], "Bearer a-token-of-the-test")
            for parameter in self.POST["parameters"]:
                jsonschema.validate(headers[parameter["name"]], parameter["schema"])
            known = {parameter["name"] for parameter in self.POST["parameters"]}
            self.assertLessEqual(set(headers) - known, {"Host", "Accept", "Content-Length", "Content-Type",
                                                        "Authorization"})
            self.assertEqual(problems(request["json"]), [])

    def test_answers(self):
        self.assertEqual(self.responses("again"), {"408", "425", "429", "5XX"})
        self.assertEqual(self.responses("final"), {"3XX", "4XX"})
        for status, tries in ((202, 1), (302, 1), (404, 1), (425, 2), (429, 2), (507, 2)):
            with self.subTest(status):
                simulator, machine = self.pair({"endpoint": [
                    {"contains": '"ready"', "times": 1, "status": status}]})
                machine.run("run")
                self.assertEqual(len([request for request in simulator.requests()
                                      if request["json"]["outcome"] == "ready"]), tries)

    def test_references(self):
        """Each leads somewhere, and nothing is left that nothing refers to."""
        text = json.dumps(OPENAPI)
        for section, entries in OPENAPI["components"].items():
            for name in entries:
                used = f"#/components/{section}/{name}" in text or any(
                    name in requirement for requirement in self.POST["security"])
                self.assertTrue(used, name)
        for code, response in self.POST["responses"].items():
            reference = response.get("$ref")
            if reference:
                self.assertIn(reference.rsplit("/", 1)[1], OPENAPI["components"]["responses"], code)


if __name__ == "__main__":
    unittest.main()
