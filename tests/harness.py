"""Boots a kernel, runs a scenario in it and judges it: what uml/ and ami/ have in common.

A scenario is a shell script in scenarios/. It runs as root inside the kernel, with the functions of
uml/lib.sh at hand. Its head says what it needs, in lines that begin with `#:` (README.md lists them).

What comes out: each check is a line of the file `said` ("ok TEXT" or "FAIL TEXT"), and each boot that got
to its end leaves "end BOOT STATUS" there, with the script's exit status. A scenario passes when there are
checks, all of them ok, and all boots ended.
"""

import argparse
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

from pace import HERE, Limit

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

COMMON_SETTINGS = {
    "disks": "4",       # ephemeral disks
    "ebs": "0",         # EBS volumes
    "size": "400M",     # of each disk; mkfs.xfs refuses less than 300 MB
    "memory": "1G",
    "time": "120",      # seconds for each boot, of the reference machine (pace.py)
    "console": "",      # a regular expression that the console has to show
    "never": "",        # one that it must not show
    "variants": "",     # ctest runs one for each, for example: disks=1 disks=24
    "jobs": "",         # 1: it mostly waits; of ctest's halves of a processor (tests/CMakeLists.txt)
    "needs": "",        # what is made once (tests/CMakeLists.txt); $name is the variable's value
    "soak": "no",       # yes: only ./dev soak runs it; or variants only for soak: disks=3 disks=5
}


class ScenarioError(Exception):
    """The scenario, or what it needs, is not as it should be."""


class Boot:
    """One power cycle: `#: boot [blank] [off] [cut=SECONDS | cut=FROM-TO] [xTIMES | x$SETTING]`."""

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

    def __init__(self, machine, name, settings=(), seed=None):
        self.path = name if os.path.sep in name else os.path.join(machine.scenarios(), name + ".sh")
        self.path = os.path.abspath(self.path)
        if not os.path.isfile(self.path):
            raise ScenarioError("no scenario %s" % self.path)
        self.name = os.path.splitext(os.path.basename(self.path))[0]
        self.seed = seed if seed is not None else random.SystemRandom().randrange(2**31)
        self.values = {**COMMON_SETTINGS, **machine.SETTINGS}
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
            if words and re.fullmatch(r"x(\d+|\$[a-z]+)", words[-1]):
                number = words[-1][1:]
                times = int(self.parameters.get(number[1:], "1") if number[0] == "$" else number)
                words = words[:-1]
            self.boots += [Boot(words, randomness) for _ in range(times)]
        self.disks = int(self.values["disks"])
        self.ebs = int(self.values["ebs"])

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

    def variants(self):
        """What ctest is to run: (settings, whether only in a soak)."""
        only_soak = self.values["soak"]
        found = [(word.split(","), only_soak == "yes") for word in self.values["variants"].split()]
        if only_soak not in ("yes", "no"):
            found += [(word.split(","), True) for word in only_soak.split()]
        return found or [([], only_soak == "yes")]


class Run:
    """One run of a scenario: its work folder, its boots, its verdict. A machine is made of this by
    giving it the four things below."""

    FOLDER = None   # the machine's own: run, scenarios/
    SETTINGS = {}   # what its scenarios' heads may say beyond COMMON_SETTINGS
    JOBS = "2"        # of ctest's halves of a processor, where a scenario does not say
    REFERENCE_US = 0  # what the metronome's work (uml/lib.sh) takes where the limits were chosen

    @staticmethod
    def require_tools():
        """Says what is missing rather than failing half-way."""

    @staticmethod
    def needs(scenario):
        """What is made once, by its names in tests/CMakeLists.txt."""
        return [re.sub(r"\$(\w+)", lambda match: scenario.parameters[match.group(1)], word)
                for word in scenario.values["needs"].split()]

    def prepare(self, number, boot):
        """Before each boot: the disks, and what the inside is to know."""
        raise NotImplementedError

    def command(self):
        """Of the kernel, which is run in the work folder, and its environment. Its standard output is the
        console."""
        raise NotImplementedError

    def start_beside(self):
        """Before each boot, and before `command`: starts what is to run on this machine beside the kernel.
        The descriptors that the kernel is to inherit."""
        return ()

    def stop_beside(self):
        """After each boot, however it ended; also where starting has failed half-way."""

    def keep_files(self):
        """What the script gave to `keep` is put beside the console log."""
        raise NotImplementedError

    def __init__(self, scenario, muster, keep=False, show=None):
        self.scenario = scenario
        self.muster = os.path.abspath(muster or os.path.join(SOURCE, "build", self.program()))
        self.keep = keep
        self.show = show                     # called with each line that the script prints
        self.log_folder = os.path.join(self.build(), scenario.name)
        self.work = os.path.join(self.build(), "work", "%s-%d" % (scenario.name, os.getpid()))
        self.console = os.path.join(self.log_folder, "console.log")
        self.said = os.path.join(self.work, "said")

    def program(self):
        """Of build/: what is under test where nobody says another."""
        return "muster"

    @classmethod
    def scenarios(cls):
        """The folder of the scripts."""
        return os.path.join(cls.FOLDER, "scenarios")

    @classmethod
    def build(cls):
        """The folder of what comes out."""
        return os.path.join(SOURCE, "build", os.path.basename(cls.FOLDER))

    def run(self):
        """Boots as often as the scenario says. The problems there were: none where it passed."""
        # However we end, the kernel ends with us and the disks are removed.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        os.makedirs(self.log_folder, exist_ok=True)
        os.makedirs(self.work)
        problems = []
        try:
            with open(self.console, "w", encoding="utf-8") as log:
                for number, boot in enumerate(self.scenario.boots, 1):
                    self.prepare(number, boot)
                    problem = self._boot(number, boot, log)
                    if problem:
                        problems.append("boot %d: %s" % (number, problem))
                        break
            problems += self._judge()
            self.keep_files()
        finally:
            if not self.keep:
                shutil.rmtree(self.work, ignore_errors=True)
        return problems

    def write_environment(self, path, number, **more):
        """The variables of the scenario, for a shell."""
        values = {
            "BOOT": number, "BOOTS": len(self.scenario.boots), "SEED": self.scenario.seed,
            "SOAK": os.environ.get("MUSTER_SOAK", ""), "REFERENCE_US": self.REFERENCE_US,
            **more, **self.scenario.parameters,
        }
        with open(path, "w", encoding="utf-8") as file:
            for key, value in values.items():
                file.write("export %s=%s\n" % (key, shlex.quote(str(value))))

    # -- one boot ---------------------------------------------------------------------------------

    def _boot(self, number, boot, log):
        """None, or what went wrong."""
        try:
            descriptors = self.start_beside()
            return self._boot_kernel(descriptors, number, boot, log)
        except ScenarioError as error:
            return str(error)
        finally:
            self.stop_beside()

    def _boot_kernel(self, descriptors, number, boot, log):
        command, environment = self.command()
        kernel = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, cwd=self.work, env=environment, pass_fds=descriptors)
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
        limit = Limit(float(self.scenario.values["time"]), self._slowness)
        cut_at = None
        log.write("== boot %d of %s, seed %d\n" % (number, self.scenario.name, self.scenario.seed))
        selector = selectors.DefaultSelector()
        selector.register(kernel.stdout, selectors.EVENT_READ)
        rest = b""
        inside = False
        while True:
            now = time.monotonic()
            if boot.cut is not None and cut_at is None and self._lines("cut %d" % number):
                cut_at = now + boot.cut
            if cut_at is not None and now >= cut_at:
                log.write("== power cut, %.2f s after the mark\n" % boot.cut)
                return None
            if limit.is_over():
                log.write("== killed: %s\n" % limit)
                return "not at its end after %s" % limit
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
        ends = self._lines("end %d " % number)
        if not ends:
            return None if boot.off else "ended before the scenario did"
        if boot.off:
            return "the scenario should have powered off"
        status = ends[-1].split()[-1]
        return None if status == "0" else "the script ended with status %s" % status

    def _slowness(self):
        """What the kernel has measured (uml/lib.sh, metronome), and this machine besides: before the kernel has
        measured anything, and where it hangs."""
        found = [re.fullmatch(r"pace (\d+)", line) for line in self._lines("pace ")[-5:]]
        return max([HERE.slowness(), *(int(each.group(1)) / 100 for each in found if each)])

    # -- the verdict ------------------------------------------------------------------------------

    def _lines(self, beginning=""):
        """Of what the inside has said so far: the lines that begin so."""
        if not os.path.exists(self.said):
            return []
        with open(self.said, encoding="utf-8", errors="replace") as file:
            return [line for line in file.read().splitlines() if line.startswith(beginning)]

    def _judge(self):
        problems = self._lines("FAIL ")
        if not problems and not self._lines("ok "):
            problems.append("no check was run")
        with open(self.console, encoding="utf-8") as file:
            console = file.read()
        for key, what in (("console", "never showed"), ("never", "showed")):
            wanted = self.scenario.values[key]
            found = re.search(wanted, console) if wanted else None
            if wanted and bool(found) == (key == "never"):
                problems.append("the console %s %s" % (what, found.group(0) if found else wanted))
        return problems


def parse_size(text):
    """Bytes of "400M"."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    if text[-1:] in units:
        return int(text[:-1]) * units[text[-1]]
    return int(text)


def make_disk(path, size, anew=False):
    """A sparse file of that size, unless it is there."""
    if anew or not os.path.exists(path):
        with open(path, "wb") as disk:
            disk.truncate(parse_size(size))


# -- the command line -----------------------------------------------------------------------------


def _parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        description="Runs a scenario on a real kernel.",
        epilog="SETTING is a line of the scenario's head (disks=24, time=300, ...), or any variable "
               "for the script.")
    parser.add_argument("scenario", nargs="?", help="a name in scenarios/, or a script's path")
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE")
    parser.add_argument("--muster", help="the program under test (default: build/muster)")
    parser.add_argument("--seed", type=int, default=os.environ.get("MUSTER_SEED"),
                        help="of everything random (default: $MUSTER_SEED, or a new one)")
    parser.add_argument("--keep", action="store_true", help="keep the work folder with the disks")
    parser.add_argument("--quiet", action="store_true", help="print the script's output only if it fails")
    parser.add_argument("--list", action="store_true", help="what ctest runs, for tests/CMakeLists.txt")
    return parser.parse_args(arguments)


def _scenario_names(machine):
    return sorted(os.path.splitext(name)[0] for name in os.listdir(machine.scenarios())
                  if name.endswith(".sh"))


def _list_for_ctest(machine):
    """NAME|SETTINGS|COST|JOBS|NEEDS|soak or always, one line each. The limit tells the longer ones from the others."""
    for name in _scenario_names(machine):
        for settings, only_soak in Scenario(machine, name).variants():
            variant = Scenario(machine, name, settings)
            cost = float(variant.values["time"]) * len(variant.boots)
            print("|".join((name, " ".join(settings), "%d" % cost, variant.values["jobs"] or machine.JOBS,
                            " ".join(machine.needs(variant)), "soak" if only_soak else "always")))


def main(machine, arguments):
    """The command `run` of a machine, which is a subclass of Run. Its exit status."""
    options = _parse_arguments(arguments)
    if options.list:
        _list_for_ctest(machine)
        return 0
    if not options.scenario:
        print("\n".join(_scenario_names(machine)))
        return 0
    machine.require_tools()
    who = os.path.basename(machine.FOLDER)
    try:
        scenario = Scenario(machine, options.scenario, options.settings,
                            None if options.seed is None else int(options.seed))
        run = machine(scenario, options.muster, keep=options.keep,
                      show=None if options.quiet else lambda line: print("  " + line, flush=True))
    except ScenarioError as error:
        print("%s: %s" % (who, error), file=sys.stderr)
        return 2
    print("%s: %s, seed %d" % (who, scenario.name, scenario.seed), flush=True)
    began = time.monotonic()
    problems = run.run()
    took = time.monotonic() - began
    # Before the console, which is long: of a failed run often no more than the beginning is kept.
    for problem in problems:
        print("%s: %s" % (who, problem))
    if problems and options.quiet:
        with open(run.console, encoding="utf-8", errors="replace") as file:
            print("\n".join(file.read().splitlines()[-200:]))
    print("%s: %s %s in %.1f s; %s" % (who, scenario.name, "FAILED" if problems else "passed", took,
                                       os.path.relpath(run.console)))
    if options.keep:
        print("%s: work folder %s" % (who, run.work))
    return 1 if problems else 0
