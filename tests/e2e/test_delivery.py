"""The endpoint fails in every way; the report arrives once, or stays in the spool."""

import json
import time
import unittest

from case import Case, waits
from machine import configuration, only, wait_for

SECRET = "s3cr3t-0f-the-token-file"


class Spool(Case):
    @waits(6)
    def test_endpoint_down_then_up(self):
        simulator, machine = self.pair("endpoint_down", report={"deadline": "2s"})
        outcome = self.ends(machine.run("run"), 3)
        self.assertIn("not delivered", outcome.err)
        name = only(machine.list("/run/muster/spool"))
        self.ends(machine.run("deliver"), 3)
        self.assertEqual(machine.list("/run/muster/spool"), [name])

        simulator.swap({"endpoint": []})
        self.ends(machine.run("deliver"), 0)
        self.assertEqual(machine.list("/run/muster/spool"), [])
        request = only(simulator.requests())
        self.is_ready(request["json"])
        self.assertNotIn("superseded", request["json"])
        self.assertEqual(request["headers"]["Idempotency-Key"],
                         "{instance[id]}/{boot_id}/{sequence}".format(**request["json"]))
        self.ends(machine.run("deliver"), 0)
        only(simulator.requests())

    @waits(4)
    def test_an_older_verdict_says_that_it_is(self):
        """Failed and not delivered, then ready and delivered: the failure comes late."""
        simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"})
        machine.write("/etc/muster/conf.d/10.json", {"ebs": {"data": {
            "device": "/dev/sdz", "deadline": "1s"}}})
        self.ends(machine.run("run"), 4)
        machine.write("/etc/muster/conf.d/10.json", {})
        simulator.swap({"endpoint": []})
        self.ends(machine.run("run"), 0)
        self.ends(machine.run("deliver"), 0)
        ready, late = [report for report in simulator.taken()
                       if report["outcome"] != "in-progress"]
        self.is_ready(ready)
        self.is_failed(late, "ebs-missing", True)
        self.assertIs(late["superseded"], True)

    @waits(4)
    def test_one_dead_sink_does_not_starve_another(self):
        dead = self.simulator("endpoint_blackhole")
        simulator, machine = self.pair("endpoint_down", report={"deadline": "2s", "to": {
            "a-dead-one": {"type": "webhook", "url": dead.endpoint, "proxy": ""}}})
        self.ends(machine.run("run"), 3)
        self.assertEqual(len(machine.list("/run/muster/spool")), 2)
        simulator.swap({"endpoint": []})
        self.ends(machine.run("deliver"), 3)
        self.is_ready(only(simulator.taken()))
        self.assertIn("a-dead-one", only(machine.list("/run/muster/spool")))

    def test_an_entry_that_cannot_be_understood_loses_nothing_else(self):
        simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"})
        self.ends(machine.run("run"), 3)
        machine.write("/run/muster/spool/0000-bad.json", "{ half an en")
        machine.write("/run/muster/spool/.tmp.json.x", "left by a kill")
        simulator.swap({"endpoint": []})
        outcome = self.ends(machine.run("deliver"), 0)
        self.assertIn("0000-bad.json", outcome.err)
        self.is_ready(only(simulator.taken()))

    def test_old_entries_are_dropped(self):
        simulator, machine = self.pair()
        entry = {"sink": "scaler", "boot_id": "b", "sequence": 1, "key": "i/b/1",
                 "time_ms": int((time.time() - 25 * 3600) * 1000), "body": "{}"}
        machine.write("/run/muster/spool/b-000001-scaler.json", entry)
        entry["time_ms"] += 2 * 3600 * 1000
        machine.write("/run/muster/spool/b-000002-scaler.json", entry)
        self.ends(machine.run("deliver"), 0)
        only(simulator.requests())
        self.assertEqual(machine.list("/run/muster/spool"), [])

    def test_nothing_to_deliver(self):
        _, machine = self.pair()
        self.ends(machine.run("deliver"), 0)


class Webhook(Case):
    def tries(self, outcome_status, seconds, *scripts, **changes):
        simulator, machine = self.pair(*scripts, **changes)
        outcome = self.ends(machine.run("run"), outcome_status)
        self.assertLess(outcome.seconds, seconds, outcome)
        return [request for request in simulator.requests()
                if request["json"]["outcome"] != "in-progress"], outcome, machine

    def test_refused_for_good(self):
        for status in (400, 401, 403, 404, 409, 410, 413, 301):
            with self.subTest(status):
                tries, outcome, machine = self.tries(
                    3, 5, {"endpoint": [{"status": status, "body": "because\nof this"}]})
                only(tries)
                self.assertIn(f"answered {status}", outcome.err)
                self.assertIn("because of this", outcome.err)
                self.assertEqual(len(machine.list("/run/muster/spool")), 1)

    @waits(4)
    def test_tried_again(self):
        for status in (408, 425, 429, 500, 502, 503, 504):
            with self.subTest(status):
                tries, _, machine = self.tries(0, 9, {"endpoint": [
                    {"contains": '"ready"', "times": 2, "status": status}]})
                self.assertEqual([request["status"] for request in tries],
                                 [status, status, 200])
                self.assertEqual(len({request["headers"]["Idempotency-Key"]
                                      for request in tries}), 1)
                self.assertEqual(machine.list("/run/muster/spool"), [])

    @waits(3)
    def test_retry_after(self):
        tries, _, _ = self.tries(0, 10, {"endpoint": [
            {"contains": '"ready"', "each_path": False,
             "sequence": [{"status": 429, "retry_after": 1},
                          {"status": 429, "retry_after_date": 3}]}]})
        times = [request["time"] for request in tries]
        self.assertEqual(len(times), 3)
        self.assertGreater(times[1] - times[0], 0.99)
        self.assertGreater(times[2] - times[1], 1.9)

    def test_retry_after_beyond_the_deadline(self):
        """Nothing is gained by waiting for a moment that never comes: it is spooled at once."""
        for absurd in ("86400", "99999999999999999999"):
            with self.subTest(absurd):
                tries, _, _ = self.tries(3, 5, {"endpoint": [
                    {"status": 429, "retry_after": absurd}]})
                only(tries)

    def test_garbage_with_a_success_is_a_success(self):
        for rule in ({"body": "<html>"}, {"binary": 300}, {"empty": True}, {"status": 204},
                     {"body": "x", "chunked": True}):
            with self.subTest(rule):
                only(self.tries(0, 5, {"endpoint": [rule]})[0])

    @waits(2)
    def test_in_progress_that_hangs_is_overtaken(self):
        simulator, machine = self.pair(
            {"endpoint": [{"contains": "in-progress", "blackhole": True}]},
            ebs={"data": {"device": "/dev/sdz", "deadline": "1s"}})
        outcome = self.ends(machine.run("run"), 1)
        self.assertLess(outcome.seconds, 1 + 1 + 2)
        self.is_failed(only(simulator.taken()), "ebs-missing", True)

    @waits(3)
    def test_one_sink_that_hangs_does_not_delay_another(self):
        well = self.simulator()
        simulator, machine = self.pair("endpoint_blackhole", report={"deadline": "4s", "to": {
            "a-hanging": {"type": "webhook", "url": well.endpoint, "proxy": ""},
            "z-hanging": {"type": "webhook", "url": "http://127.0.0.1:9/", "proxy": ""}}})
        process = machine.start("run")
        began = time.monotonic()
        self.assertTrue(wait_for(lambda: any(report["outcome"] == "ready"
                                             for report in well.taken()), 8))
        verdict = time.monotonic() - began
        outcome = self.ends(machine.end(process), 0)  # none is required: any one is enough
        self.assertGreater(time.monotonic() - began, verdict + 1)
        self.assertEqual(len(machine.list("/run/muster/spool")), 2, outcome)

    def test_required_decides(self):
        for required, status in (("scaler", 0), ("other", 3)):
            with self.subTest(required):
                simulator, machine = self.pair(report={"deadline": "1s", "to": {
                    "other": {"type": "webhook", "url": "http://127.0.0.1:9/", "proxy": ""}}})
                machine.write("/etc/muster/conf.d/1.json",
                              {"report": {"to": {required: {"required": True}}}})
                self.ends(machine.run("run"), status)


class Secrets(Case):
    def nowhere(self, secret, machine, outcome, simulator):
        self.assertNotIn(secret, outcome.out)
        self.assertNotIn(secret, outcome.err)
        for name, text in machine.all_text().items():
            self.assertNotIn(secret, text, name)
        for request in simulator.requests():
            self.assertNotIn(secret, request["body"])

    def with_token(self, rules, status):
        simulator, machine = self.pair({"endpoint": rules}, report={"deadline": "1s", "to": {
            "scaler": {"token_file": "/etc/muster/token"}}})
        machine.write("/etc/muster/token", SECRET + "\n")
        outcome = self.ends(machine.run("run", "--log-level", "debug"), status)
        for request in simulator.requests():
            self.assertEqual(request["headers"]["Authorization"], "Bearer " + SECRET)
        self.assertTrue(simulator.requests())
        self.nowhere(SECRET, machine, outcome, simulator)
        for command in (["deliver"], ["status"], ["status", "--json"], ["config"]):
            self.nowhere(SECRET, machine, machine.run(*command), simulator)

    def test_token(self):
        self.with_token([], 0)

    def test_token_refused_and_spooled(self):
        self.with_token([{"status": 401}], 3)

    def test_token_echoed_by_the_endpoint(self):
        self.with_token([{"status": 403, "body": f"no such token: Bearer {SECRET}"}], 3)

    def test_address_with_a_secret(self):
        simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"})
        url = simulator.endpoint + f"/hooks/{SECRET}?key={SECRET}"
        machine.write("/etc/muster/conf.d/1.json", {"report": {"to": {"scaler": {"url": url}}}})
        outcome = self.ends(machine.run("run", "--log-level", "debug"), 3)
        self.nowhere(SECRET, machine, outcome, simulator)

    def test_token_that_cannot_be_used(self):
        for content in (None, "", "two\nlines\n"):
            with self.subTest(content):
                simulator, machine = self.pair(report={"deadline": "1s", "to": {
                    "scaler": {"token_file": "/etc/muster/token"}}})
                if content is not None:
                    machine.write("/etc/muster/token", content)
                outcome = self.ends(machine.run("run"), 3)
                self.assertIn("token", outcome.err)
                self.assertEqual(simulator.requests(), [])
                self.assertEqual(len(machine.list("/run/muster/spool")), 1)
                machine.write("/etc/muster/token", SECRET)
                self.ends(machine.run("deliver"), 0)
                self.is_ready(only(simulator.taken()))


if __name__ == "__main__":
    unittest.main()
