"""What runs on this machine beside QEMU, for as long as one boot: the metadata service and the endpoint, where
they are to be outside; the process that serves the root, where it is to be stoppable; and the door at which
the scenario asks for what only the outside can do.

All of it ends with the boot, and, should this process be killed, with it.
"""

import json
import os
import select
import signal
import socket
import subprocess
import threading
import time

import harness
from door import Door
from harness import SOURCE, ScenarioError

# Times at the door are milliseconds since the epoch: a shell can't reckon with more.

# Of the guest's network: the metadata service at its own address, the endpoint at one beside it.
METADATA = "169.254.169.254:80"
ENDPOINT = "169.254.169.100:8080"
RELAY = "source/tests/ami/relay.py"  # in the work folder
START = 30                           # seconds for something here to start


def milliseconds(seconds):
    return round(seconds * 1000)


def start(command, work, **options):
    """A process that is killed when we die, a stopped one too."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], cwd=work, **options)


def next_script(work):
    """What the scenario has said with `next`, in this boot or one before."""
    try:
        with open(os.path.join(work, "next.json"), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


class Services:
    """The metadata service and the endpoint, on free ports of the loopback interface."""

    def __init__(self, work):
        self.record = os.path.join(work, "reports.jsonl")
        self.process = start(
            ["/usr/bin/python3", "-S", "-E", os.path.join(SOURCE, "tests/simulator/simulator.py"),
             "--script", "nvme", "--script", json.dumps(next_script(work)), "--record", "reports.jsonl", "--log", "requests.jsonl", "--exit-with-stdin"],
            work, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready, _, _ = select.select([self.process.stdout], [], [], START)
        try:
            self.at = json.loads(self.process.stdout.readline()) if ready else {}
        except ValueError:
            self.at = {}
        if not self.at:
            self.stop()
            raise ScenarioError("the simulator does not start")

    def arguments(self):
        """QEMU's: a network that leads to these two and nowhere else."""
        forwards = "".join(
            ",guestfwd=tcp:%s-cmd:/usr/bin/python3 -S -E %s %s" % (address, RELAY, url.rpartition(":")[2])
            for address, url in ((METADATA, self.at["metadata"]), (ENDPOINT, self.at["endpoint"])))
        return ["-netdev", "user,id=outside,restrict=on,ipv6=off,net=169.254.169.0/24,host=169.254.169.2,"
                           "dns=169.254.169.3,dhcpstart=169.254.169.15" + forwards,
                "-device", "virtio-net-pci,netdev=outside,romfile="]

    def reports(self, since):
        """What the endpoint got and took since then."""
        with open(self.record, encoding="utf-8") as file:
            # The last line may be half there.
            records = [json.loads(line) for line in file if line.endswith("\n")]
        return [record for record in records
                if record["time"] >= since and record["whole"] and record["status"] == 200]

    def stop(self):
        self.process.kill()
        self.process.wait()


class RootServer:
    """Serves the root disk; while it is stopped no read or write of the root ends, well or badly."""

    def __init__(self, work, image):
        self.path = os.path.join(work, "root.sock")
        if os.path.exists(self.path):
            os.remove(self.path)
        # The path has to begin with a slash, and there is little room for a long one.
        self.process = start(["qemu-nbd", "--format=qcow2", "--discard=unmap", "--cache=writeback",
                              "--socket=/proc/self/cwd/root.sock", image], work, stdin=subprocess.DEVNULL)
        end = time.monotonic() + START
        while not os.path.exists(self.path):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise ScenarioError("qemu-nbd does not start")
            time.sleep(0.02)

    def pause(self):
        """When it was: just before."""
        now = time.time()
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)
        return now

    def go_on(self):
        """When it was: just before."""
        now = time.time()
        self.process.send_signal(signal.SIGCONT)
        return now

    def stop(self):
        # At SIGTERM it closes the image as it should.
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Monitor:
    """QEMU's own, for plugging a disk."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair()
        self.ours.settimeout(START)
        self.file = None

    def ask(self, command, **arguments):
        if self.file is None:
            self.file = self.ours.makefile("rw", encoding="utf-8")
            self.ask("qmp_capabilities")
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline() or '{"error": {"desc": "QEMU is gone"}}')
            if "error" in answer:
                raise ScenarioError("%s: %s" % (command, answer["error"]["desc"]))
            if "return" in answer:
                return


class Host:
    """All of it, for one boot."""

    def __init__(self, work, values):
        self.work = work
        self.began = time.time()
        self.services = self.root = None
        self.over = threading.Event()
        self.timer = self.told = None
        self.plugged = 0
        self.slots = int(values["slots"])
        self.monitor = Monitor()
        self.door = Door({"clock": self._clock, "stop-root": self._stop_root, "told": self._told,
                          "plug": self._plug, "next": self._next, "reports": self._reports})
        try:
            if values["services"] == "outside":
                self.services = Services(work)
            if values["root"] == "stoppable":
                self.root = RootServer(work, "root.qcow2")
        except BaseException:
            self.stop()
            raise

    def descriptors(self):
        """Of QEMU, which inherits them."""
        return self.door.theirs.fileno(), self.monitor.theirs.fileno()

    def arguments(self):
        """QEMU's."""
        root = "format=raw,file=nbd:unix:root.sock" if self.root else "format=qcow2,file=root.qcow2"
        arguments = [
            "-drive", "if=none,id=root,discard=unmap," + root,
            "-chardev", "socket,id=host,fd=%d" % self.door.theirs.fileno(),
            "-device", "virtserialport,chardev=host,name=muster.host",
            "-chardev", "socket,id=monitor,fd=%d" % self.monitor.theirs.fileno(),
            "-mon", "chardev=monitor,mode=control",
        ]
        for slot in range(1, self.slots + 1):
            arguments += ["-device", "pcie-root-port,id=slot%d,chassis=%d,slot=%d" % (slot, slot, slot)]
        return arguments + (self.services.arguments() if self.services else [])

    def stop(self):
        # Both wake the door's thread, wherever it waits.
        self.over.set()
        self.door.close(START)
        if self.timer:
            self.timer.cancel()
        for one in (self.root, self.services):
            if one:
                one.stop()
        for one in (self.monitor.ours, self.monitor.theirs):
            one.close()

    # -- what is asked at the door ------------------------------------------------------------------

    def _sleep(self, seconds):
        """Unless the boot ends before."""
        if self.over.wait(seconds):
            raise ScenarioError("the machine is gone")

    def _next(self, *words):
        """The script of the services from the next boot on, over `nvme`: JSON, white space is one space."""
        with open(os.path.join(self.work, "next.json"), "w", encoding="utf-8") as file:
            json.dump(json.loads(" ".join(words)), file)
        return "ok"

    def _reports(self):
        """What the endpoint took since this boot began."""
        return json.dumps([record["json"] for record in self.services.reports(self.began)])

    def _clock(self):
        return str(milliseconds(time.time()))

    def _stop_root(self, after, lasting):
        """Stops the root in `after` seconds, for `lasting` seconds. The answer comes when it is stopped: when
        that was. It goes on without being asked."""
        if not self.root:
            raise ScenarioError("the root can't be stopped: #: root stoppable")
        asked = time.time()
        self._sleep(float(after))
        stopped = self.root.pause()
        self.timer = threading.Timer(float(lasting), self._go_on, (asked, stopped))
        self.timer.daemon = True
        self.timer.start()
        return str(milliseconds(stopped))

    def _go_on(self, asked, stopped):
        # First: what comes later proves nothing.
        reports = self.services.reports(asked) if self.services else []
        continued = self.root.go_on()
        self.told = json.dumps({
            "stopped": milliseconds(stopped), "continued": milliseconds(continued),
            "reports": [{"at": milliseconds(record["time"] - stopped),
                         "outcome": report.get("outcome"),
                         "code": report.get("reason", {}).get("code"),
                         "message": report.get("reason", {}).get("message", "")[:500],
                         "recreate": report.get("recreate")}
                        for record in reports for report in [record["json"] or {}]]})

    def _told(self):
        """Waits until the root goes on. When all this was, and what the endpoint had taken by then since
        it was asked for, by milliseconds after the stop."""
        if not self.timer:
            raise ScenarioError("the root was never stopped")
        while self.timer.is_alive():
            self._sleep(0.05)
        return self.told

    def _plug(self, size):
        """A blank disk in the next free slot: the next of /dev/vdb, /dev/vdc ... It has no model, as on
        Xen. The answer comes when it is plugged; the guest has yet to see it."""
        self.plugged += 1
        name = "plugged%d" % self.plugged
        harness.make_disk(os.path.join(self.work, name), size, anew=True)
        self.monitor.ask("blockdev-add", **{"driver": "raw", "node-name": name,
                                            "file": {"driver": "file", "filename": name}})
        self.monitor.ask("device_add", driver="virtio-blk-pci", drive=name, id="disk-" + name,
                         bus="slot%d" % self.plugged)
        return "plugged"
