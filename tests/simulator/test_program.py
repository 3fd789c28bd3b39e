"""The simulator as a program, and the scripts that come with it."""

import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

import script as scripts
from client import HERE, MAPPING, PROGRAM, TOKEN, TTL, Simulator, exchange, is_refused, patience, wait_for
from rules import Rules, ScriptError


class TheProgram(unittest.TestCase):
    """Its start, its end, its control."""

    def test_ends_with_stdin_and_with_sigterm(self):
        self.assertEqual(Simulator().stop(), 0)
        simulator = Simulator()
        simulator.process.send_signal(signal.SIGTERM)
        self.assertEqual(simulator.process.wait(patience()), 0)
        simulator.stop()

    def test_a_wrong_script_is_told_and_refused(self):
        for script in ('{"metadta": []}', '{"metadata": [{"stauts": 503}]}', '{"metadata": 3}',
                       '{"metadata": [{"path": "*"}]}', '{"metadata": [{"status": "503"}]}',
                       '{"metadata": [{"refuse": true, "path": "x"}]}',
                       '{"metadata": [{"status": 503, "at_least": 2}]}',
                       '{"metadata": [{"refuse": true, "since": "first", "from": 1}]}', '{"options": {"v1": true}}',
                       '{"metadata": [{"sequence": ["wrong"]}]}', "{", "no-such-script"):
            run = subprocess.run([sys.executable, PROGRAM, "--script",
                                  script], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                 timeout=patience())
            self.assertEqual((run.returncode, run.stdout), (2, ""), script)
            self.assertTrue(run.stderr.startswith("simulator: "), run.stderr)

    def test_swap_changes_only_what_it_names(self):
        simulator = Simulator("--script", '{"metadata": [{"times": 2, "status": 503}]}')
        metadata = simulator.address("metadata")
        self.assertEqual(exchange(metadata, "GET", "/").status, 503)
        simulator.swap({"endpoint": [], "options": {"imdsv1": True},
                        "instance": {"tags": {"instance": {"muster:hold": "yes"}}}})
        self.assertEqual(exchange(metadata, "GET", "/").status, 503)
        tag = "/latest/meta-data/tags/instance/muster:hold"
        self.assertEqual(exchange(metadata, "GET", tag).text, "yes")
        self.assertEqual(exchange(metadata, "GET", "/latest/meta-data/ami-id").status, 200)
        with self.assertRaises(AssertionError):
            simulator.swap({"endpoint": [{"stauts": 1}]})
        simulator.stop()

    def test_state_counts(self):
        with tempfile.NamedTemporaryFile() as log:
            simulator = Simulator("--log", log.name, "--script",
                                  '{"metadata": [{"name": "once", "times": 1, "status": 503}]}')
            for _ in range(2):
                exchange(simulator.address("metadata"), "PUT", "/latest/api/token", {TTL: "60"})
            state = simulator.state()["metadata"]
            simulator.stop()
            self.assertEqual((state["connections"], state["requests"]), (2, 2))
            self.assertEqual(state["by_path"], {"PUT /latest/api/token": 2})
            self.assertEqual(state["by_status"], {"503": 1, "200": 1})
            self.assertEqual(state["by_rule"], {"once": 1})
            self.assertEqual(state["tokens"], {"asked": 1, "issued": 1, "refused": 0})
            self.assertEqual([json.loads(line)["status"] for line in log], [503, 200])

    def test_log_tells_who_came_without_a_token(self):
        with tempfile.NamedTemporaryFile() as log:
            simulator = Simulator("--log", log.name)
            for headers in ({}, {TOKEN: "not ours"}):
                exchange(simulator.address("metadata"), "GET", "/latest/meta-data", headers)
            simulator.stop()
            lines = [json.loads(line) for line in log]
            self.assertEqual([line["token"] for line in lines], [False, True])
            self.assertEqual([line["status"] for line in lines], [401, 401])

    def test_ipv6(self):
        if not os.path.exists("/proc/net/if_inet6"):
            self.skipTest("no IPv6 here")
        simulator = Simulator("--bind", "::1")
        self.assertTrue(simulator.urls["metadata"].startswith("http://[::1]:"))
        self.assertEqual(exchange(simulator.address("metadata"), "GET", "/").status, 401)
        simulator.stop()


class TheScripts(unittest.TestCase):
    """The data files."""

    def test_every_script_is_well_formed_and_says_what_it_is(self):
        paths = glob.glob(os.path.join(HERE, "scripts", "*.json"))
        self.assertGreater(len(paths), 20)
        for path in paths:
            script = scripts.load_all([path])
            self.assertTrue(scripts.load(path).get("comment"), path)
            for service in ("metadata", "endpoint"):
                Rules(service, script.get(service, []))

    def test_set_replaces_where_a_script_merges(self):
        script = scripts.load_all(
            ["nvme", '{"instance": {"block-device-mapping": {"ebs2": "sdg"}}}'],
            ["instance.instance-type=i4i.metal"])
        self.assertEqual(script["instance"]["block-device-mapping"],
                         {"ami": "/dev/xvda", "root": "/dev/xvda", "ebs1": "sdf", "ebs2": "sdg"})
        self.assertEqual(script["instance"]["instance-type"], "i4i.metal")
        script = scripts.load_all(["healthy"], ['instance.block-device-mapping={"ami": "sda1"}',
                                                "instance.events=null"])
        self.assertEqual(script["instance"]["block-device-mapping"], {"ami": "sda1"})
        self.assertNotIn("events", script["instance"])

    def test_extending_oneself_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "loop.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write('{"extends": "loop.json"}')
            with self.assertRaises(ScriptError):
                scripts.load(path)

    def test_misbehaving_is_must_show_3_of_issue_2(self):
        """With its refusal shortened: refused, 503, empty twice, right, empty, right."""
        script = scripts.load("misbehaving")
        first = script["metadata"][0]
        self.assertEqual((first["since"], first["until"], first["at_least"]), ("first", 5.0, 2))
        first["until"] = 0.2
        simulator = Simulator("--script", json.dumps(script))
        metadata = simulator.address("metadata")
        for _ in range(2):
            self.assertTrue(is_refused(metadata))
        wait_for(lambda: simulator.state()["metadata"]["gate"] == "open")
        replies = [exchange(metadata, "PUT", "/latest/api/token", {TTL: "60"}) for _ in range(3)]
        self.assertEqual([reply.status for reply in replies], [503, 503, 200])
        token = {TOKEN: replies[2].text}
        sizes = [len(exchange(metadata, "GET", MAPPING, token).body) for _ in range(6)]
        simulator.stop()
        self.assertEqual([size > 0 for size in sizes], [False, False, True, False, True, True])
