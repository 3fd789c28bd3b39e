#!/usr/bin/python3
"""What `muster watch` costs while nothing happens: processor time of all its processes, and memory.

    tests/bench/watch-idle.py [SECONDS]      with the default interval of 30 s; the simulator beside it

Processor time is counted, not waited for, so other work on this machine does not disturb it. Needs root.
"""

import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))

from machine import Machine, Simulator, configuration  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def used(machine, watcher):
    """Seconds of processor time so far, ended helpers included; KiB resident and locked."""
    ticks = 0
    for pid in machine.processes():
        with open("/proc/%d/stat" % pid, encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
    with open("/proc/%d/status" % watcher, encoding="utf-8") as file:
        status = dict(line.split(":", 1) for line in file)
    return ticks / TICKS, status["VmRSS"].strip(), status["VmLck"].strip()


def main(seconds):
    simulator, machine = Simulator("healthy"), Machine()
    machine.configure(configuration(simulator))
    try:
        process = machine.start("watch")
        time.sleep(10)  # the first look, and metadata confirmed
        watcher = next(pid for pid, name in machine.processes().items() if name == "muster")
        before, _, _ = used(machine, watcher)
        began = time.monotonic()
        time.sleep(seconds)
        after, resident, locked = used(machine, watcher)
        share = (after - before) / (time.monotonic() - began)
        print("muster watch, idle for %d s: %.3f s of processor time, %.3f %% of a core (target: under "
              "0.1 %%); %s resident, %s locked (target: under 16 MiB)"
              % (seconds, after - before, 100 * share, resident, locked))
        process.terminate()
        machine.end(process)
    finally:
        machine.close()
        simulator.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 600)
