"""The real binary on this host, in a mount namespace of its own, and the simulator beside it.

Needs root (unshare). Nothing outside the namespace is changed: /run, /var/lib and /etc/muster are its
own, and the configurations here expect no disk. The root volume is the host's, and is read.
"""

import contextlib
import fcntl
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.dirname(os.path.dirname(HERE))
BINARY = os.environ.get("MUSTER_BINARY", os.path.join(SOURCES, "build", "muster"))
sys.path.insert(0, os.path.join(SOURCES, "tests"))

from pace import Limit  # noqa: E402
from waiting import patience, wait_for  # noqa: E402


def of_sanitizer():
    """Whether AddressSanitizer's allocator is in it, which keeps what is freed, or ThreadSanitizer's own thread."""
    with open(BINARY, "rb") as file:
        program = file.read()
    return b"__asan_init" in program or b"__tsan_init" in program


# /etc with every entry of the host's as a link, and a muster/ of its own.
SET_UP = """
set -e
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/.etc
mount --bind /etc /run/.etc
mount -t tmpfs -o mode=0755 tmpfs /etc
for entry in /run/.etc/* /run/.etc/.[!.]*; do
  if [ -e "$entry" ] && [ "${entry##*/}" != muster ]; then ln -s "$entry" /etc/; fi
done
mkdir /etc/muster /etc/muster/conf.d
mount -t tmpfs -o mode=0755 tmpfs /var/lib
echo ready
exec cat
"""


def own_address():
    """Of loopback, for a port that can't be chosen: another suite may run beside this one."""
    return "127.%d.%d.%d" % (random.randint(2, 254), random.randint(0, 255), random.randint(1, 254))


class Traces:
    """All that the whole suite has put out, and the secrets that it used: run.py looks for these in that."""

    secrets = set()
    outputs = []  # (where, text)

    @classmethod
    def add_secret(cls, text):
        """Whole, and by its first line: base64 comes in lines, and is joined on its way."""
        for part in (text.strip(), text.strip().partition("\n")[0]):
            if len(part) >= 12:
                cls.secrets.add(part)

    @classmethod
    def found(cls):
        """Session tokens are many, and all begin alike (the simulator's)."""
        tokens = {secret for secret in cls.secrets if secret.startswith("AQAE")}
        leaks = []
        for where, text in cls.outputs:
            held = {word for word in re.findall(r"AQAE[\w=-]+", text) if word in tokens}
            held |= {secret for secret in cls.secrets - tokens if secret in text}
            leaks += [f"{where} holds {secret[:6]}..." for secret in held]
        return leaks


class Simulator:
    """tests/simulator on loopback, on ports of its own."""

    def __init__(self, *scripts, options=()):
        self.folder = tempfile.mkdtemp(prefix="muster-e2e-")
        self.record = os.path.join(self.folder, "record")
        words = ["/usr/bin/python3", "-S", "-E",
                 os.path.join(SOURCES, "tests", "simulator", "simulator.py"),
                 "--exit-with-stdin", "--record", self.record, *options]
        for script in scripts:
            words += ["--script", script if isinstance(script, str) else json.dumps(script)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        addresses = json.loads(self.process.stdout.readline())
        self.metadata = addresses["metadata"]
        self.endpoint = addresses["endpoint"]
        self.control = addresses["control"]

    def swap(self, script):
        self._ask("/_simulator/script", json.dumps(script).encode())

    def state(self):
        return json.loads(self._ask("/_simulator/state"))

    def _ask(self, path, body=None):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(self.control + path, body), timeout=patience()) as reply:
            return reply.read()

    def wait_until_quiet(self):
        """Nothing is under way any more from a client that is gone."""
        wait_for(lambda: not self.state()["endpoint"]["open"])

    def requests(self):
        """What the endpoint got, in order, taken or not."""
        if not os.path.exists(self.record):
            return []
        with open(self.record, encoding="utf-8") as lines:
            # One that is just being written is not there yet.
            return [json.loads(line) for line in lines if line.endswith("\n")]

    def taken(self):
        """The reports that the endpoint took, in order."""
        return [request["json"] for request in self.requests()
                if request["status"] and 200 <= request["status"] < 300 and request["whole"]]

    def leave_traces(self):
        with contextlib.suppress(OSError, ValueError):
            for secret in json.loads(self._ask("/_simulator/secrets")):
                Traces.add_secret(secret)
        for request in self.requests():
            body = request["body"]
            if isinstance(request["json"], dict) and "identity" in request["json"]:
                body = json.dumps({**request["json"], "identity": None})  # test_tls: only where it is asked for
            Traces.outputs.append((f"a report to {request['path']}", body))

    def close(self):
        self.leave_traces()
        self.process.stdin.close()
        self.process.wait(patience())
        self.process.stdout.close()
        shutil.rmtree(self.folder)


class Outcome:
    def __init__(self, status, out, err, seconds):
        """`seconds` since before it was started: no less than what it waited by its own clock."""
        self.status = status
        self.out = out
        self.err = err
        self.seconds = seconds

    def __str__(self):
        return f"exit {self.status} after {self.seconds:.1f} s\n{self.out}\n{self.err}"


class Machine:
    """A namespace with files of its own, in which the agent runs."""

    def __init__(self):
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", SET_UP],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError("no mount namespace to be had: these tests need root")
        self.rebooted = False
        self.namespace = os.readlink(f"/proc/{self.holder.pid}/ns/mnt")

    def path(self, name):
        return f"/proc/{self.holder.pid}/root{name}"

    def write(self, name, content):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        if "token" in name and isinstance(text, str):
            Traces.add_secret(text)
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def configure(self, *layers):
        for number, layer in enumerate(layers):
            name = f"conf.d/{number:02}.json" if number else "muster.json"
            self.write(f"/etc/muster/{name}", layer)

    def read(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as file:
            return file.read()

    def read_json(self, name):
        return json.loads(self.read(name))

    def list(self, name):
        try:
            return sorted(os.listdir(self.path(name)))
        except FileNotFoundError:
            return []

    def all_text(self):
        """All that stands in /run and /var/lib, by file name."""
        texts = {}
        for top in ("/run/muster", "/var/lib/muster"):
            for folder, _, files in os.walk(self.path(top)):
                for name in files:
                    path = os.path.join(folder, name)
                    with contextlib.suppress(FileNotFoundError):
                        with open(path, encoding="utf-8", errors="replace") as file:
                            texts[path[len(self.path("")):]] = file.read()
        return texts

    @contextlib.contextmanager
    def small(self, name):
        """A full file system at a folder."""
        enter = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt"]
        subprocess.run([*enter, "mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", name], check=True)
        try:
            with open(self.path(name + "/all"), "wb") as file:
                file.write(b"x" * 4096)
            yield
        finally:
            subprocess.run([*enter, "umount", name], check=True)

    @contextlib.contextmanager
    def disks_in_use(self):
        """As where a command of an earlier run still writes: the boot job waits for its end, and the verdict does."""
        os.makedirs(self.path("/run/muster"), exist_ok=True)
        with open(self.path("/run/muster/disks.lock"), "a", encoding="ascii",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def inside(self, *words):
        subprocess.run(["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", *words], check=True)

    def reboot(self):
        """Another boot id, and nothing left in /run: the kernel is the host's and goes on. The new id."""
        shutil.rmtree(self.path("/run/muster"), ignore_errors=True)
        boot_id = str(uuid.uuid4())
        self.write("/run/.boot_id", boot_id + "\n")
        if not self.rebooted:
            self.inside("mount", "--bind", "/run/.boot_id", "/proc/sys/kernel/random/boot_id")
        self.rebooted = True
        return boot_id

    def start(self, *arguments, env=None, prefix=(), log=None, **streams):
        """`log`: a file in the machine for its standard error, to be read while it runs."""
        kept = {name: value for name, value in os.environ.items() if name == "TSAN_OPTIONS"}
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **kept, **(env or {})}
        began = time.monotonic()
        with contextlib.ExitStack() as opened:
            if log:
                streams["stderr"] = opened.enter_context(open(self.path(log), "ab"))
            streams.setdefault("stdout", subprocess.PIPE)
            streams.setdefault("stderr", subprocess.PIPE)
            # Whatever a test configures, it can't power off the machine that it runs on.
            process = subprocess.Popen(
                ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "setpriv", "--bounding-set=-sys_boot",
                 *prefix, BINARY, *arguments],
                stdin=subprocess.DEVNULL, env=environment, **streams)
        process.began, process.log = began, log
        return process

    def says(self, process, text):
        """Waits until its log holds the text."""
        return wait_for(lambda: text in self.read(process.log),
                        lambda: f"{text!r}, the log is\n{self.read(process.log)}")

    def end(self, process, seconds=120):
        """Its outcome; `seconds` are those of a Limit, and end a hang."""
        limit = Limit(seconds)
        while True:
            try:
                out, err = process.communicate(timeout=5)
                break
            except subprocess.TimeoutExpired:
                if not limit.is_over():
                    continue
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"muster did not end within {limit}:\n{out}\n{err}")
        if process.log:
            err = self.read(process.log).encode()
        outcome = Outcome(process.returncode, (out or b"").decode(), (err or b"").decode(),
                          time.monotonic() - process.began)
        Traces.outputs += [("standard output", outcome.out), ("standard error", outcome.err)]
        return outcome

    def run(self, *arguments, seconds=120, **options):
        return self.end(self.start(*arguments, **options), seconds)

    def run_until_told(self, told, *arguments, **options):
        """Runs it; the verdict comes after `told()` is true, be the machine slow or not. `log` as in start."""
        with self.disks_in_use():
            process = self.start("run", *arguments, **options)
            try:
                wait_for(lambda: told() or process.poll() is not None, "what the run says before its verdict")
            except AssertionError:
                process.kill()
                process.communicate()
                raise
        return self.end(process)

    def processes(self):
        """Of the agent's in this namespace: {pid: name}; those that are dead do not count."""
        found = {}
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == self.holder.pid:
                continue
            try:
                if os.readlink(f"/proc/{name}/ns/mnt") != self.namespace:
                    continue
                with open(f"/proc/{name}/stat", encoding="utf-8") as file:
                    line = file.read()
            except OSError:
                continue
            if line[line.rindex(")") + 2] not in "ZX":
                found[int(name)] = line[line.index("(") + 1:line.rindex(")")]
        return found

    def worker(self):
        """The process id of the boot job, once there is one."""
        return wait_for(lambda: next((pid for pid, name in self.processes().items()
                                      if name == "muster-boot"), None))

    def wait_until_idle(self):
        """No process of the agent's is left."""
        wait_for(lambda: not self.processes(), lambda: f"the end of {self.processes()}")

    def close(self):
        Traces.outputs += self.all_text().items()
        self.holder.stdin.close()
        self.holder.wait(patience())
        self.holder.stdout.close()


def merged(base, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def configuration(simulator, **changes):
    """Harmless on any machine: no disk is expected, none is looked for. The deadlines are the product's own."""
    return merged({
        "deadline": "300s",
        # The simulated instance has other disks than this machine, so its mapping is doubtful.
        "metadata": {"endpoint": simulator.metadata, "absence_span": "300ms"},
        "ephemeral": {"expect": "none", "deadline": "200s"},
        "ebs": {},
        "root": {"min_free": "0%", "min_free_inodes": "0%"},
        "report": {"deadline": "60s",
                   "to": {"scaler": {"type": "webhook", "url": simulator.endpoint + "/v1/reports",
                                     "proxy": ""}}},
    }, changes)


def only(items):
    items = list(items)
    if len(items) != 1:
        raise AssertionError(f"expected one, found {len(items)}: {items}")
    return items[0]


sys.dont_write_bytecode = True
