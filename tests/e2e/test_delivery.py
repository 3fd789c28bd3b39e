"""The endpoint fails in every way; the report arrives once, or stays in the spool."""

import json
import os
import time
import unittest

from case import ENDLESS, LONG, Case, waits
from machine import Traces, configuration, only, wait_for

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
        self.delivers(machine)
        self.assertEqual(machine.list("/run/muster/spool"), [])
        request = only(simulator.requests())
        self.is_ready(request["json"])
        self.assertNotIn("superseded", request["json"])
        self.assertEqual(request["headers"]["Idempotency-Key"],
                         "{instance[id]}/{boot_id}/{sequence}".format(**request["json"]))
        self.delivers(machine)
        only(simulator.requests())

    @waits(4)
    def test_an_older_verdict_says_that_it_is(self):
        """Failed and not delivered, then ready and delivered: the failure comes late."""
        simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"})
        machine.write("/etc/muster/conf.d/10.json", {"ebs": {"data": {
            "device": "/dev/sdz", "deadline": "1s"}}})
        self.ends(machine.run("run"), 4)
        machine.write("/etc/muster/conf.d/10.json", {"report": {"deadline": "60s"}})
        simulator.swap({"endpoint": []})
        self.ends(machine.run("run"), 0)
        self.delivers(machine)
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
        process = machine.start("deliver", "--for", "2000s")
        wait_for(lambda: len(machine.list("/run/muster/spool")) == 1)
        self.assertIsNone(process.poll(), "it still tries the dead one")
        process.kill()
        machine.end(process)
        self.ends(machine.run("deliver", "--for", "1s"), 3)
        self.is_ready(only(simulator.taken()))
        self.assertIn("a-dead-one", only(machine.list("/run/muster/spool")))

    def test_an_entry_that_cannot_be_understood_loses_nothing_else(self):
        simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"})
        self.ends(machine.run("run"), 3)
        machine.write("/run/muster/spool/0000-bad.json", "{ half an en")
        machine.write("/run/muster/spool/.tmp.json.x", "left by a kill")
        simulator.swap({"endpoint": []})
        outcome = self.delivers(machine)
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

    @waits(3)
    def test_two_at_once_send_it_once(self):
        simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"})
        self.ends(machine.run("run"), 3)
        simulator.swap({"endpoint": [{"delay": 1.5}]})
        processes = [machine.start("deliver", "--for", "100s") for _ in range(3)]
        for process in processes:
            self.ends(machine.end(process), 0)
        only(simulator.requests())

    def patient(self):
        """A delivery that has tried once, and waits."""
        simulator, machine = self.pair({"endpoint": [{"status": 503}]}, report={"deadline": "1s"})
        self.ends(machine.run("run"), 3)
        before = len(simulator.requests())
        patient = machine.start("deliver", "--for", "2000s")
        wait_for(lambda: len(simulator.requests()) > before)
        return simulator, machine, patient

    @waits(15)
    def test_one_that_waits_for_long_keeps_nobody_else_waiting(self):
        simulator, machine, patient = self.patient()
        self.ends(machine.run("deliver"), 3)  # for report.deadline
        self.assertIsNone(patient.poll(), "report.deadline is not its deadline")
        simulator.swap({"endpoint": []})
        self.delivers(machine)
        self.ends(machine.end(patient), 0)
        only(simulator.taken())

    @waits(15)
    def test_what_is_overtaken_while_it_waits_says_so(self):
        simulator, machine, patient = self.patient()
        report = machine.read_json("/run/muster/report.json")
        machine.write("/run/muster/report.json", {**report, "sequence": report["sequence"] + 1})
        simulator.swap({"endpoint": []})
        self.ends(machine.end(patient), 0)
        sent = only(simulator.taken())
        self.assertEqual((sent["sequence"], sent["superseded"]), (report["sequence"], True))

    @waits(4)
    def test_beside_watch_it_is_sent_once(self):
        simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"})
        self.ends(machine.run("run"), 3)
        for folder in ("/run/muster/spool", FAR):  # old enough for watch to know that no run is at it
            name = only(machine.list(folder))
            entry = machine.read_json(f"{folder}/{name}")
            machine.write(f"{folder}/{name}", {**entry, "time_ms": entry["time_ms"] - 600_000})
        simulator.swap({"endpoint": [{"contains": '"ready"', "delay": 2}]})
        watch = machine.start("watch")
        wait_for(lambda: simulator.state()["endpoint"]["connections"])
        processes = [machine.start("deliver", "--for", "100s") for _ in range(2)]
        for process in processes:
            self.ends(machine.end(process), 0)
        watch.terminate()
        self.ends(machine.end(watch), 0)
        only(request for request in simulator.requests() if request["json"]["outcome"] == "ready")

    def test_status_says_what_remains(self):
        simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"})
        self.ends(machine.run("run"), 3)
        self.assertIn("not delivered yet", machine.run("status").out)
        self.assertIn("to scaler: ready of ", machine.run("status").out)
        waiting = only(json.loads(machine.run("status", "--json").out)["spool"])
        self.assertEqual([waiting["sink"], waiting["outcome"]], ["scaler", "ready"])
        simulator.swap({"endpoint": []})
        self.delivers(machine)
        self.assertNotIn("not delivered yet", machine.run("status").out)
        self.assertEqual(json.loads(machine.run("status", "--json").out)["spool"], [])

    def test_nothing_to_deliver(self):
        _, machine = self.pair()
        self.ends(machine.run("deliver"), 0)


FAR = "/var/lib/muster/spool"


class Reboot(Case):
    """What /var/lib/muster keeps. The second boot of these tests is another boot id and an empty /run."""

    def undelivered(self, **changes):
        simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"}, **changes)
        machine.reboot()
        self.ends(machine.run("run"), 3)
        machine.write("/etc/muster/conf.d/90.json", {"report": {"deadline": "60s"}})  # for what is to come
        return simulator, machine

    def both_empty(self, machine):
        self.assertEqual(machine.list(FAR), [])
        self.assertEqual([name for name in machine.list("/run/muster/spool") if name.endswith(".json")], [])

    @waits(2)
    def test_the_verdict_of_a_boot_that_is_over(self):
        simulator, machine = self.undelivered()
        first = machine.read_json("/run/muster/report.json")
        self.assertEqual(machine.list(FAR), machine.list("/run/muster/spool"))
        only(machine.list(FAR))
        machine.reboot()
        simulator.swap({"endpoint": []})
        self.ends(machine.run("run"), 0)
        self.delivers(machine)
        late = simulator.taken()[-1]
        self.assertEqual([late["boot_id"], late["sequence"]], [first["boot_id"], first["sequence"]])
        self.assertIs(late["superseded"], True)
        self.both_empty(machine)
        before = len(simulator.requests())
        self.delivers(machine)
        self.assertEqual(len(simulator.requests()), before)
        self.assertEqual(len(machine.list("/var/lib/muster/history")), 2)

    def test_delivered_leaves_nothing_but_the_history(self):
        simulator, machine = self.pair()
        self.ends(machine.run("run"), 0)
        self.both_empty(machine)
        name = only(machine.list("/var/lib/muster/history"))
        self.assertEqual(machine.read_json("/var/lib/muster/history/" + name),
                         machine.read_json("/run/muster/report.json"))

    def test_the_same_boot_from_the_disk_alone(self):
        simulator, machine = self.undelivered()
        for name in machine.list("/run/muster/spool"):
            os.unlink(machine.path("/run/muster/spool/" + name))
        simulator.swap({"endpoint": []})
        self.delivers(machine)
        self.assertNotIn("superseded", only(simulator.taken()))
        self.both_empty(machine)

    @waits(3)
    def test_watch_sends_it(self):
        simulator, machine = self.undelivered(watch={"heartbeat": "1s"})
        name = only(machine.list(FAR))
        entry = machine.read_json(f"{FAR}/{name}")
        machine.write(f"{FAR}/{name}", {**entry, "time_ms": entry["time_ms"] - 3600_000})
        machine.reboot()
        simulator.swap({"endpoint": []})
        self.ends(machine.run("run"), 0)
        watch = machine.start("watch")
        wait_for(lambda: machine.list(FAR) == [])
        watch.terminate()
        self.ends(machine.end(watch), 0)
        late = only(report for report in simulator.taken() if report.get("superseded"))
        self.assertEqual(late["boot_id"], entry["boot_id"])

    @waits(2)
    def test_a_clone_says_nothing_for_its_original(self):
        simulator, machine = self.undelivered()
        machine.reboot()
        simulator.swap({"instance": {"instance-id": "i-0fedcba9876543210"}, "endpoint": []})
        self.ends(machine.run("run"), 0)
        before = len(simulator.requests())
        outcome = self.delivers(machine)
        self.assertIn("another instance", outcome.err)
        self.assertEqual(len(simulator.requests()), before)
        self.both_empty(machine)

    @waits(2)
    def test_one_that_cannot_be_understood_loses_nothing_else(self):
        simulator, machine = self.undelivered()
        machine.write(FAR + "/0000-bad.json", b"{ half an en\xff")
        simulator.swap({"endpoint": []})
        outcome = self.delivers(machine)
        self.assertIn("0000-bad.json", outcome.err)
        self.is_ready(only(simulator.taken()))
        self.both_empty(machine)

    @waits(2)
    def test_a_disk_that_takes_nothing_loses_nothing(self):
        """It is a reason of its own to have failed, and the report of that is in /run."""
        for full, code in ((True, "root-full"), (False, "root-read-only")):
            with self.subTest(code):
                simulator, machine = self.pair("endpoint_down", report={"deadline": "1s"})
                if full:
                    with machine.small("/var/lib"):
                        outcome = self.ends(machine.run("run"), 4)
                else:
                    machine.inside("mount", "-o", "remount,ro", "/var/lib")
                    outcome = self.ends(machine.run("run"), 4)
                self.assertIn("nothing survives a reboot", outcome.err)
                only(machine.list("/run/muster/spool"))
                simulator.swap({"endpoint": []})
                self.delivers(machine)
                report = only(simulator.taken())
                self.assertEqual([report["outcome"], report["reason"]["code"]], ["failed", code])

    def test_observe_writes_no_disk(self):
        simulator, machine = self.undelivered(mode="observe")
        self.ends(machine.run("deliver", "--for", "1s"), 3)
        self.assertEqual(machine.list("/var/lib/muster"), [])
        only(machine.list("/run/muster/spool"))


class OnFailure(Case):
    """As far as the call itself: the agent is not allowed it here (machine.py). uml.poweroff goes the whole way."""

    ON = {"on_failure": {"action": "poweroff", "delay": "1s"},
          "checks": {"bad": {"command": ["/bin/false"], "recreate": True}}}

    def test_it_would_power_off(self):
        simulator, machine = self.pair(**self.ON)
        outcome = self.ends(machine.run("run"), 1)
        self.assertGreater(outcome.seconds, 1)
        self.assertIn("powering off in", outcome.err)
        self.assertIn("can't power off: Operation not permitted", outcome.err)
        self.assertEqual(simulator.taken()[-1]["outcome"], "failed")

    def test_held(self):
        simulator, machine = self.pair("whole_tree", **self.ON)
        outcome = self.ends(machine.run("run"), 1)
        self.assertIn("held by the tag muster:hold", outcome.err)
        machine.write("/run/muster/hold", "")
        outcome = self.ends(machine.run("run"), 1)
        self.assertIn("held by the file /run/muster/hold", outcome.err)
        self.assertNotIn("powering off in", outcome.err)

    @waits(2)
    def test_called_off(self):
        _, machine = self.pair(**{**self.ON, "on_failure": {"action": "poweroff", "delay": "600s"}})
        process = machine.start("run", log="/run/err")
        machine.says(process, "powering off in")
        process.terminate()
        outcome = self.ends(machine.end(process), 1)
        self.assertIn("told to stop, so the machine stays on", outcome.err)


class Webhook(Case):
    def tries(self, outcome_status, *scripts, **changes):
        simulator, machine = self.pair(*scripts, **changes)
        outcome = self.ends(machine.run("run"), outcome_status)
        return [request for request in simulator.requests()
                if request["json"]["outcome"] != "in-progress"], outcome, machine

    def test_refused_for_good(self):
        for status in (400, 401, 403, 404, 409, 410, 413, 301):
            with self.subTest(status):
                tries, outcome, machine = self.tries(
                    3, {"endpoint": [{"status": status, "body": "because\nof this"}]}, **ENDLESS)
                only(tries)
                self.assertIn(f"answered {status}", outcome.err)
                self.assertIn("because of this", outcome.err)
                self.assertEqual(len(machine.list("/run/muster/spool")), 1)

    @waits(4)
    def test_tried_again(self):
        for status in (408, 425, 429, 500, 502, 503, 504):
            with self.subTest(status):
                tries, _, machine = self.tries(0, {"endpoint": [
                    {"contains": '"ready"', "times": 2, "status": status}]})
                self.assertEqual([request["status"] for request in tries],
                                 [status, status, 200])
                self.assertEqual(len({request["headers"]["Idempotency-Key"]
                                      for request in tries}), 1)
                self.assertEqual(machine.list("/run/muster/spool"), [])

    @waits(3)
    def test_retry_after(self):
        tries, _, _ = self.tries(0, {"endpoint": [
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
                tries, _, _ = self.tries(3, {"endpoint": [
                    {"status": 429, "retry_after": absurd}]}, **LONG)
                only(tries)

    def test_garbage_with_a_success_is_a_success(self):
        for rule in ({"body": "<html>"}, {"binary": 300}, {"empty": True}, {"status": 204},
                     {"body": "x", "chunked": True}):
            with self.subTest(rule):
                only(self.tries(0, {"endpoint": [rule]})[0])

    @waits(2)
    def test_in_progress_that_hangs_is_overtaken(self):
        """Its try is cut short. Where the verdict comes so late that the try is over by itself, nothing is seen."""
        simulator, machine = self.pair({"endpoint": [{"contains": "in-progress", "blackhole": True}]},
                                       ebs={"data": {"device": "/dev/sdz", "deadline": "1s"}})

        def is_cut_short():
            before = len(simulator.requests())
            outcome = machine.run_until_told(lambda: len(simulator.requests()) > before, "--log-level", "debug")
            self.ends(outcome, 1)
            self.is_failed(simulator.taken()[-1], "ebs-missing", True)
            ending = only(line for line in outcome.err.splitlines() if " debug in-progress " in line)
            self.assertIn("delivered=no", ending)
            return "aborted" in ending

        self.once(is_cut_short)

    def hanging(self, **hole):
        """(well, hanging, outcome) of a run to a black hole, another that hangs, and one that is well."""
        well = self.simulator()
        hanging, machine = self.pair("endpoint_blackhole", report={"deadline": "15s", "to": {
            "a-hole": {"type": "webhook", "proxy": "", **hole},
            "z-well": {"type": "webhook", "url": well.endpoint, "proxy": ""}}})
        outcome = self.ends(machine.run("run"), 0)  # none is required: any one is enough
        names = [name for name in machine.list("/run/muster/spool") if name.endswith(".json")]
        self.assertEqual(len(names), 2, outcome)
        known = os.stat(machine.path("/run/muster/spool/" + names[0])).st_mtime
        verdict = only(request for request in well.requests() if request["json"]["outcome"] == "ready")
        # One try of the black hole's takes ten seconds by the agent's clock.
        tries = [request for request in hanging.requests() if request["json"]["outcome"] == "ready"]
        self.assertGreater(len(tries), 1)
        self.assertLess(verdict["time"], tries[1]["time"])
        return verdict["time"] - known

    @waits(15)
    def test_one_sink_that_hangs_does_not_delay_another(self):
        self.hanging(url="http://127.0.0.1:9/")

    @waits(15)
    def test_two_black_holes_and_one_that_is_well(self):
        """The well one has the verdict as soon as it is known."""
        hole = self.simulator("endpoint_unreachable")
        took = self.hanging(url=hole.endpoint)
        print(f"two black holes and one well: it has the verdict after {took:.3f} s")

    def test_required_decides(self):
        for required, status in (("scaler", 0), ("other", 3)):
            with self.subTest(required):
                simulator = self.simulator({"endpoint": [{"path": "other", "status": 403}]})
                other = {"type": "webhook", "url": simulator.endpoint + "/other", "proxy": ""}
                machine = self.machine(configuration(simulator, report={"to": {"other": other}}))
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

    def test_the_search_itself(self):
        """What run.py looks for at the end is found where it is."""
        class Some(Traces):
            secrets, outputs = set(), []
        Some.add_secret("line-one-0123456789\nline-two-0123456789\n")
        Some.outputs.append(("a log", "so: line-one-0123456789 it is"))
        self.assertEqual(len(Some.found()), 1)
        Some.outputs[0] = ("a log", "so: line-two-0123456789 it is")
        self.assertEqual(Some.found(), [])

    def with_token(self, rules, status):
        simulator, machine = self.pair({"endpoint": rules}, report={"to": {
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
        Traces.add_secret(SECRET)
        url = simulator.endpoint + f"/hooks/{SECRET}?key={SECRET}"
        machine.write("/etc/muster/conf.d/1.json", {"report": {"to": {"scaler": {"url": url}}}})
        outcome = self.ends(machine.run("run", "--log-level", "debug"), 3)
        self.nowhere(SECRET, machine, outcome, simulator)

    def test_token_that_cannot_be_used(self):
        for content in (None, "", "two\nlines\n"):
            with self.subTest(content):
                simulator, machine = self.pair(report={"to": {
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
