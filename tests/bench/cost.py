#!/usr/bin/python3
"""What the agent itself costs on this machine: processor time, locked memory, requests; the program's size.

    cost.py         means of five runs each, over http and https. Needs root (a mount namespace)

Processor time is counted, not waited for, so other work on this machine disturbs it little. The disks' commands
are not in it: the machine expects no disk. The certificates are the whole of this machine's bundle.
"""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "tests", "e2e"))

import targets  # noqa: E402
from machine import BINARY, Machine, Simulator, configuration  # noqa: E402

RUNS = 5
TICKS = os.sysconf("SC_CLK_TCK")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def proc(pid, name):
    with open(f"/proc/{pid}/{name}", encoding="utf-8") as file:
        return file.read()


def locked(pid):
    """MiB"""
    lines = dict(line.split(":", 1) for line in proc(pid, "status").splitlines() if ":" in line)
    return int(lines.get("VmLck", "0 kB").split()[0]) / 1024


def own_cost(process):
    """Of a process until it ends: its own processor time, ms, without that of the boot job and the helpers that it
    has forked; and the most that it had locked, MiB."""
    most = 0.0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        try:
            most = max(most, locked(process.pid))
        except OSError:
            pass
        time.sleep(0.005)
    fields = proc(process.pid, "stat").rpartition(")")[2].split()
    waited_for = sum(int(field) for field in fields[13:15]) / TICKS
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return 1000 * (usage.ru_utime + usage.ru_stime - waited_for), most


def certificate(folder):
    """A server's for 127.0.0.1, of an authority that stands last in the machine's bundle."""
    for words in (("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                   "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=bench"),
                  ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                   "server.key", "-out", "server.csr", "-subj", "/CN=server", "-addext",
                   "subjectAltName=IP:127.0.0.1"),
                  ("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                   "-copy_extensions", "copy", "-days", "2", "-out", "server.pem")):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    with open(os.path.join(folder, "bundle.pem"), "wb") as bundle:
        for path in (BUNDLE, os.path.join(folder, "ca.pem")):
            with open(path, "rb") as part:
                shutil.copyfileobj(part, bundle)


@contextlib.contextmanager
def machine_and_simulator(options=(), sink=None):
    simulator, machine = Simulator("healthy", options=options), Machine()
    try:
        machine.configure(configuration(simulator, report={"to": {"scaler": sink or {}}}))
        yield machine, simulator
    finally:
        machine.close()
        simulator.close()


def run_once(options, sink):
    """(own processor time, most locked, requests that the metadata service saw)"""
    with machine_and_simulator(options, sink) as (machine, simulator):
        empty, _ = own_cost(machine.start("--version"))  # what begins it is in the count, too
        own, most = own_cost(machine.start("run"))
        if simulator.taken()[-1]["outcome"] != "ready":
            sys.exit("a run was not ready")
        return own - empty, most, machine.read_json("/run/muster/report.json")["metadata"]["requests"]


def watch_locked():
    with machine_and_simulator() as (machine, _):
        process = machine.start("watch")
        time.sleep(3)
        most = locked(process.pid)
        process.terminate()
        machine.end(process)
        return most


def say(what, value, unit, target=None):
    verdict = "" if target is None else f"{target:8} {unit:4}{'' if value < target else 'missed'}"
    if target is not None:
        targets.note(f"A {what.strip()}, {unit}", value, target, value < target)
    print(f"{what:58} {value:8.1f} {unit:4} {verdict}")


def main():
    print(f"What muster itself costs, without disks (means of {RUNS} runs)          found         target")
    with tempfile.TemporaryDirectory() as folder:
        certificate(folder)
        tls = ("--tls-cert", f"{folder}/server.pem", "--tls-key", f"{folder}/server.key")
        for name, target, options, sink in (("http", 50, (), None),
                                            ("https", 80, tls, {"ca_file": f"{folder}/bundle.pem"})):
            own, most, requests = zip(*(run_once(options, sink) for _ in range(RUNS)))
            say(f"run, report over {name}: processor time of its own", statistics.mean(own), "ms", target)
            say(f"   memory locked over {name}, at most", max(most), "MiB", 14)
            say("   requests to a healthy metadata service", max(requests), "")
    say("watch: memory locked", watch_locked(), "MiB", 14)
    say("the program", os.path.getsize(BINARY) / 1e6, "MB", 5)


if __name__ == "__main__":
    main()
