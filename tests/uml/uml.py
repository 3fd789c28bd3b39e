"""Boots User-Mode Linux on this machine's own file tree and runs a scenario in it.

A scenario is a shell script in scenarios/. It runs as root inside the kernel, after init has set up
devices, udev and the network, with the functions of lib.sh at hand. Its head says what it needs, in
lines that begin with `#:` (README.md lists them).

What comes out: the folder WORK is the only place that both sides write. Inside, each check is a line of
WORK/checks ("ok TEXT" or "FAIL TEXT"), and each boot that got to its end leaves WORK/end.N with the
script's exit status. A scenario passes when there are checks, all of them ok, and all boots ended.
"""

import os
import random
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(SOURCE, "build", "uml")
SCENARIOS = os.path.join(HERE, "scenarios")
LETTERS = "bcdefghijklmnopqrstuvwxyz"

DEFAULTS = {
    "disks": "4",       # ephemeral disks: /dev/xvdb and on
    "ebs": "0",         # EBS volumes: /dev/xvdf and on, after the ephemeral disks
    "size": "400M",     # of each disk; mkfs.xfs refuses less than 300 MB
    "modules": "",      # beyond dm-mod and loop
    "memory": "1G",
    "time": "120",      # seconds for each boot
    "console": "",      # a regular expression that the console has to show
    "variants": "",     # ctest runs one for each, for example: disks=1 disks=24
    "soak": "no",       # yes: only ./dev soak runs it; or variants only for soak: disks=3 disks=5
}


class ScenarioError(Exception):
    """The scenario, or what it needs, is not as it should be."""


class Boot:
    """One power cycle: `#: boot [blank] [off] [cut=SECONDS | cut=FROM-TO] [xTIMES]`."""

    def __init__(self, words, randomness):
        self.blank = False
        self.off = False  # the scenario itself powers off
        self.cut = None
        for word in words:
            if word == "blank":
                self.blank = True
            elif word == "off":
                self.off = True
            elif word.startswith("cut="):
                first, _, last = word[4:].partition("-")
                self.cut = randomness.uniform(float(first), float(last or first))
            else:
                raise ScenarioError("boot: %r is not known" % word)


class Scenario:
    """A script and what its head asks for."""

    def __init__(self, name, settings=(), seed=None):
        self.path = name if os.path.sep in name else os.path.join(SCENARIOS, name + ".sh")
        self.path = os.path.abspath(self.path)
        if not os.path.isfile(self.path):
            raise ScenarioError("no scenario %s" % self.path)
        self.name = os.path.splitext(os.path.basename(self.path))[0]
        self.seed = seed if seed is not None else random.SystemRandom().randrange(2**31)
        self.values = dict(DEFAULTS)
        boots = self._read_head()
        self.parameters = {}
        for setting in settings:
            key, _, value = setting.partition("=")
            if key in self.values:
                self.values[key] = value
            else:
                self.parameters[key] = value
        if settings:
            self.name += "@" + ",".join(settings).replace(os.path.sep, "_")
        randomness = random.Random(self.seed)
        self.boots = []
        for words in boots or [[]]:
            times = 1
            if words and re.fullmatch(r"x\d+", words[-1]):
                times = int(words[-1][1:])
                words = words[:-1]
            self.boots += [Boot(words, randomness) for _ in range(times)]
        self.disks = int(self.values["disks"])
        self.ebs = int(self.values["ebs"])
        if self.disks + self.ebs > len(LETTERS):
            raise ScenarioError("at most %d disks" % len(LETTERS))

    def _read_head(self):
        boots = []
        with open(self.path, encoding="utf-8") as file:
            for line in file:
                if line.startswith("#:"):
                    key, *words = line[2:].split()
                    if key == "boot":
                        boots.append(words)
                    elif key in self.values:
                        self.values[key] = " ".join(words)
                    else:
                        raise ScenarioError("%s: %r is not known" % (self.path, key))
        return boots

    def disk_names(self):
        """Kernel names of the ephemeral disks and of the EBS volumes: xvdb, xvdc ..."""
        first_ebs = max(self.disks, LETTERS.index("f")) if self.ebs else 0
        if first_ebs + self.ebs > len(LETTERS):
            first_ebs = self.disks
        return (["xvd" + letter for letter in LETTERS[: self.disks]],
                ["xvd" + letter for letter in LETTERS[first_ebs : first_ebs + self.ebs]])

    def variants(self):
        """What ctest is to run: (settings, whether only in a soak)."""
        only_soak = self.values["soak"]
        found = [(word.split(","), only_soak == "yes") for word in self.values["variants"].split()]
        if only_soak not in ("yes", "no"):
            found += [(word.split(","), True) for word in only_soak.split()]
        return found or [([], only_soak == "yes")]


class Run:
    """One run of a scenario: its work folder, its boots, its verdict."""

    def __init__(self, scenario, muster, keep=False, show=None):
        self.scenario = scenario
        self.muster = os.path.abspath(muster)
        self.keep = keep
        self.show = show                     # called with each line that the script prints
        self.log_folder = os.path.join(BUILD, scenario.name)
        self.work = os.path.join(BUILD, "work", "%s-%d" % (scenario.name, os.getpid()))
        self.console = os.path.join(self.log_folder, "console.log")
        self.began = time.monotonic()

    def run(self):
        """Boots as often as the scenario says. True where it passed."""
        # However we end, the kernel ends with us and the disks are removed.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        os.makedirs(self.log_folder, exist_ok=True)
        os.makedirs(os.path.join(self.work, "state"))
        problems = []
        try:
            with open(self.console, "w", encoding="utf-8") as log:
                for number, boot in enumerate(self.scenario.boots, 1):
                    self._prepare(number, boot)
                    problem = self._boot(number, boot, log)
                    if problem:
                        problems.append("boot %d: %s" % (number, problem))
                        break
            problems += self._judge()
            self._keep_files()
        finally:
            if not self.keep:
                shutil.rmtree(self.work, ignore_errors=True)
        return problems

    # -- one boot ---------------------------------------------------------------------------------

    def _disk_file(self, name):
        return os.path.join(self.work, name + ".disk")

    def _prepare(self, number, boot):
        ephemeral, ebs = self.scenario.disk_names()
        for name in ephemeral + ebs:
            file = self._disk_file(name)
            if not os.path.exists(file) or (boot.blank and name in ephemeral):
                with open(file, "wb") as disk:
                    disk.truncate(parse_size(self.scenario.values["size"]))
        values = {
            "MUSTER": self.muster, "SCENARIO": self.scenario.path, "SOURCE": SOURCE,
            "WORK": self.work, "BOOT": number, "BOOTS": len(self.scenario.boots),
            "SEED": self.scenario.seed, "SOAK": os.environ.get("MUSTER_SOAK", ""),
            "EPHEMERAL": " ".join(ephemeral), "EBS": " ".join(ebs),
            "MODULES": self.scenario.values["modules"],
        }
        values.update(self.scenario.parameters)
        with open(os.path.join(self.work, "env"), "w", encoding="utf-8") as file:
            for key, value in values.items():
                file.write("export %s=%s\n" % (key, shlex.quote(str(value))))
        if os.path.exists(os.path.join(self.work, "cut")):
            os.remove(os.path.join(self.work, "cut"))

    def _boot(self, number, boot, log):
        """None, or what went wrong."""
        memory = self.scenario.values["memory"]
        command = [
            "linux.uml", "mem=" + memory, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
            "init=" + os.path.join(HERE, "init"), "uml_dir=" + self.work,
            "uml_work=" + self.work, "uml_source=" + SOURCE,
            "con0=fd:0,fd:1", "con=null", "quiet",
        ]
        kernel = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, env=kernel_environment(self.work, parse_size(memory)))
        try:
            return self._watch(kernel, number, boot, log)
        finally:
            # The kernel's processes are processes of ours; all of them go with the group.
            try:
                os.killpg(kernel.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            kernel.wait()
            kernel.stdout.close()

    def _watch(self, kernel, number, boot, log):
        """Copies the console until the kernel ends, the time is up or the power is cut."""
        began = time.monotonic()
        limit = float(self.scenario.values["time"])
        cut_file = os.path.join(self.work, "cut")
        end_file = os.path.join(self.work, "end.%d" % number)
        cut_at = None
        log.write("== boot %d of %s, seed %d\n" % (number, self.scenario.name, self.scenario.seed))
        selector = selectors.DefaultSelector()
        selector.register(kernel.stdout, selectors.EVENT_READ)
        rest = b""
        inside = False
        while True:
            now = time.monotonic()
            if boot.cut is not None and cut_at is None and os.path.exists(cut_file):
                cut_at = now + boot.cut
            if cut_at is not None and now >= cut_at:
                log.write("== power cut, %.2f s after the mark\n" % boot.cut)
                return None
            if now - began > limit:
                log.write("== killed: %g s are over\n" % limit)
                return "not at its end after %g s" % limit
            if not selector.select(0.05 if boot.cut is not None else 0.5):
                continue
            piece = os.read(kernel.stdout.fileno(), 65536)
            if not piece:
                break
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                text = line.decode("utf-8", "replace").rstrip("\r")
                log.write("%7.2f %s\n" % (time.monotonic() - began, text))
                if text == "== scenario":
                    inside = True
                elif text == "== end":
                    inside = False
                elif inside and self.show:
                    self.show(text)
            log.flush()
        if rest:
            log.write("%7.2f %s\n" % (time.monotonic() - began, rest.decode("utf-8", "replace")))
        if not os.path.exists(end_file):
            return None if boot.off else "ended before the scenario did"
        if boot.off:
            return "the scenario should have powered off"
        with open(end_file, encoding="utf-8") as file:
            status = file.read().strip()
        return None if status == "0" else "the script ended with status %s" % status

    # -- the verdict ------------------------------------------------------------------------------

    def checks(self):
        """All checks so far: (passed, text)."""
        path = os.path.join(self.work, "checks")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        return [(line.startswith("ok "), line.partition(" ")[2]) for line in lines if line]

    def _judge(self):
        checks = self.checks()
        problems = ["FAIL " + text for passed, text in checks if not passed]
        if not checks:
            problems.append("no check was run")
        wanted = self.scenario.values["console"]
        if wanted:
            with open(self.console, encoding="utf-8") as file:
                if not re.search(wanted, file.read()):
                    problems.append("the console never showed %s" % wanted)
        return problems

    def _keep_files(self):
        """What the script put into WORK/keep stays beside the console log."""
        kept = os.path.join(self.work, "keep")
        if os.path.isdir(kept):
            shutil.copytree(kept, self.log_folder, dirs_exist_ok=True)


def parse_size(text):
    """Bytes of "400M"."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    if text[-1:] in units:
        return int(text[:-1]) * units[text[-1]]
    return int(text)


def kernel_environment(work, memory):
    """The environment of linux.uml: preload.c, and a place for its memory."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": work,
                   "LD_PRELOAD": preloaded_library()}
    space = None
    try:
        status = os.statvfs("/dev/shm")
        space = status.f_bavail * status.f_frsize
    except OSError:
        pass
    # UML keeps its memory in an unlinked file in /dev/shm, which containers make small: running out
    # of it there is a SIGBUS.
    if space is None or space < memory:
        environment["TMPDIR"] = work
    return environment


def preloaded_library():
    """preload.c, compiled when it is newer than what was compiled."""
    source = os.path.join(HERE, "preload.c")
    library = os.path.join(BUILD, "preload.so")
    if not os.path.exists(library) or os.path.getmtime(library) < os.path.getmtime(source):
        os.makedirs(BUILD, exist_ok=True)
        made = "%s.%d" % (library, os.getpid())
        subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", made, source],
                       check=True)
        os.rename(made, library)
    return library


def tail(path, lines):
    """The last lines of a file."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()[-lines:]


def scenario_names():
    """All scenarios there are."""
    return sorted(os.path.splitext(name)[0] for name in os.listdir(SCENARIOS)
                  if name.endswith(".sh"))


def require_tools():
    """Says what is missing rather than failing half-way."""
    for tool in ("linux.uml", "cc"):
        if not shutil.which(tool):
            sys.exit("uml: %s is not installed: ./dev deps" % tool)
