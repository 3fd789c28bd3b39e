"""The root volume: tried for as long as the boot job goes on, and not needed for the bad news."""

import os
import re
import shutil
import tempfile
import unittest

from case import Case
from machine import configuration, only
from test_tls import openssl


class Root(Case):
    def io(self, report):
        return only(finding for finding in report["findings"]
                    if (finding["check"], finding["subject"]) == ("root", "io"))

    def test_is_read_and_written(self):
        simulator, machine = self.pair()
        self.ends(machine.run("run"), 0)
        finding = self.io(simulator.taken()[-1])
        self.assertEqual((finding["status"], finding["gating"]), ("pass", True), finding)
        self.assertIn("writes", finding["message"])
        self.assertGreater(finding["evidence"]["slowest_writes_seconds"], 0)
        # The folder is the agent's own; the file is gone, and so is the report that was delivered.
        self.assertEqual(machine.list("/var/lib/muster"), ["history", "spool"])
        self.assertEqual(machine.list("/var/lib/muster/spool"), [])

    def test_is_not_written_by_those_who_look(self):
        simulator, machine = self.pair(mode="observe")
        self.ends(machine.run("run"), 0)
        self.ends(machine.run("probe", "root"), 0)
        self.assertEqual(machine.list("/var/lib"), [])

    def test_full(self):
        simulator, machine = self.pair()
        os.mkdir(machine.path("/var/lib/muster"))
        with machine.small("/var/lib/muster"):
            self.ends(machine.run("run"), 1)
        self.is_failed(simulator.taken()[-1], "root-full", False)


class Opens(Case):
    """What the reporting process opens, once it has been able to speak."""

    def test_nothing_of_root(self):
        folder = tempfile.mkdtemp(prefix="muster-strace-")
        self.addCleanup(shutil.rmtree, folder)
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-keyout", "key", "-out", "certificate", "-days", "2", "-subj", "/CN=x",
                "-addext", "subjectAltName=DNS:localhost")
        simulator = self.simulator("healthy", options=(
            "--tls-cert", os.path.join(folder, "certificate"), "--tls-key",
            os.path.join(folder, "key")))
        simulator.endpoint = simulator.endpoint.replace("127.0.0.1", "localhost")
        machine = self.machine(configuration(
            simulator, report={"to": {"scaler": {"ca_file": os.path.join(folder, "certificate")}}}))
        trace = os.path.join(folder, "trace")
        # LeakSanitizer traces, too, and a process has one tracer.
        outcome = machine.run_until_told(
            lambda: "delivered=yes" in machine.read("/run/err"), "--log-level", "debug", log="/run/err",
            env={"ASAN_OPTIONS": "detect_leaks=0"}, prefix=(
                "strace", "-ff", "-ttt", "-o", trace, "-e",
                "trace=open,openat,openat2,execve,clone,clone3,connect,exit"))
        self.ends(outcome, 0)
        self.assertEqual([report["outcome"] for report in simulator.taken()],
                         ["in-progress", "ready"])

        threads = self.threads(folder)
        first = min((lines for lines in threads if any(" connect(" in line for line in lines)),
                    key=lambda lines: float(lines[0].split()[0]))
        spoken = float(first[-1].split()[0])  # it ends when `in-progress` is delivered
        opened = [line for lines in threads for line in lines
                  if re.search(r" (open\w*|execve)\(", line) and float(line.split()[0]) > spoken]
        self.assertTrue(opened, "not even /run")
        elsewhere = [line for line in opened
                     if not re.search(r'"/(run|proc|sys|dev)/', line)]
        self.assertEqual(elsewhere, [])

    def threads(self, folder):
        """The lines of each thread of the reporting process."""
        files = {}
        for name in os.listdir(folder):
            if name.startswith("trace."):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    files[int(name.split(".")[1])] = file.read().splitlines()
        # By time: on a busy machine the numbers of processes begin anew.
        found = {min((tid for tid in files if files[tid]), key=lambda tid: float(files[tid][0].split()[0]))}
        while True:
            started = {int(line.rsplit("=", 1)[1]) for tid in found for line in files[tid]
                       if "CLONE_THREAD" in line and re.search(r"= \d+$", line)}
            if started <= found:
                return [files[tid] for tid in found]
            found |= started


if __name__ == "__main__":
    unittest.main()
