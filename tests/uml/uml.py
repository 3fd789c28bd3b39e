"""User-Mode Linux, booted on this machine's own file tree. The folder `work` is the only place that
both sides write."""

import fcntl
import os
import random
import shutil
import subprocess
import sys

import harness
from door import Door, hash_content
from harness import SOURCE, ScenarioError, make_disk, parse_size

HERE = os.path.dirname(os.path.abspath(__file__))
# Of the names: b to z, then, as EC2 goes on, ba to bz and ca to cz.
LETTERS = [first + second for first in ("", "b", "c") for second in "abcdefghijklmnopqrstuvwxyz"][1:]


class Uml(harness.Run):
    """A run in User-Mode Linux."""

    FOLDER = HERE
    REFERENCE_US = 45000
    SETTINGS = {
        "modules": "",      # beyond dm-mod and loop
    }

    def __init__(self, scenario, *arguments, **options):
        super().__init__(scenario, *arguments, **options)
        if scenario.disks + scenario.ebs > len(LETTERS):
            raise ScenarioError("at most %d disks" % len(LETTERS))
        self.processor = None       # that the kernel runs on
        self.processor_lock = None  # held while it does
        self.door = None

    @staticmethod
    def require_tools():
        for tool in ("linux.uml", "cc"):
            if not shutil.which(tool):
                sys.exit("uml: %s is not installed: ./dev deps" % tool)

    def disk_names(self):
        """Kernel names of the ephemeral disks and of the EBS volumes: /dev/xvdb and on; /dev/xvdf and
        on, after the ephemeral disks."""
        disks, ebs = self.scenario.disks, self.scenario.ebs
        first_ebs = max(disks, LETTERS.index("f")) if ebs else 0
        if first_ebs + ebs > len(LETTERS):
            first_ebs = disks
        return (["xvd" + letter for letter in LETTERS[:disks]],
                ["xvd" + letter for letter in LETTERS[first_ebs : first_ebs + ebs]])

    def prepare(self, number, boot):
        os.makedirs(os.path.join(self.work, "state"), exist_ok=True)
        ephemeral, ebs = self.disk_names()
        for name in ephemeral + ebs:
            make_disk(os.path.join(self.work, name + ".disk"), self.scenario.values["size"],
                      anew=boot.blank and name in ephemeral)
        self.write_environment(
            os.path.join(self.work, "env"), number, MUSTER=self.muster, SCENARIO=self.scenario.path,
            SOURCE=SOURCE, WORK=self.work, SAID=self.said, EPHEMERAL=" ".join(ephemeral),
            EBS=" ".join(ebs), UML="yes", MODULES=self.scenario.values["modules"])

    def command(self):
        memory = self.scenario.values["memory"]
        return [
            "taskset", "--cpu-list", str(self.processor),
            "linux.uml", "mem=" + memory, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
            "init=" + os.path.join(HERE, "init"), "uml_dir=" + self.work,
            "uml_work=" + self.work, "uml_source=" + SOURCE,
            "con0=fd:0,fd:1", "con=null", "ssl0=fd:%d" % self.door.theirs.fileno(), "quiet",
        ], self._environment(parse_size(memory))

    def start_beside(self):
        """The door; and a processor of its own, as long as there is a free one. Each system call in the guest goes from
        one process of this machine to another and back by ptrace; where the two are on two processors, that
        is two interrupts between these, which a virtual machine pays for: 2 s of work took 12 to 22 s."""
        self.door = Door({"hash": lambda name: hash_content(os.path.join(self.work, name))})
        every = sorted(os.sched_getaffinity(0))
        self.processor = random.choice(every)
        for processor in every:
            lock = open(os.path.join(self.build(), "processor-%d.lock" % processor), "w", encoding="ascii")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            self.processor, self.processor_lock = processor, lock
            break
        return (self.door.theirs.fileno(),)

    def stop_beside(self):
        if self.door:
            self.door.close(60)
            self.door = None
        if self.processor_lock:
            self.processor_lock.close()
            self.processor_lock = None

    def keep_files(self):
        kept = os.path.join(self.work, "keep")
        if os.path.isdir(kept):
            shutil.copytree(kept, self.log_folder, dirs_exist_ok=True)

    def _environment(self, memory):
        """The environment of linux.uml: preload.c, and a place for its memory."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.work,
                       "LD_PRELOAD": self._preloaded_library()}
        space = None
        try:
            status = os.statvfs("/dev/shm")
            space = status.f_bavail * status.f_frsize
        except OSError:
            pass
        # UML keeps its memory in an unlinked file in /dev/shm, which containers make small: running out
        # of it there is a SIGBUS.
        if space is None or space < memory:
            environment["TMPDIR"] = self.work
        return environment

    def _preloaded_library(self):
        """preload.c, compiled when it is newer than what was compiled."""
        source = os.path.join(HERE, "preload.c")
        library = os.path.join(self.build(), "preload.so")
        if not os.path.exists(library) or os.path.getmtime(library) < os.path.getmtime(source):
            os.makedirs(self.build(), exist_ok=True)
            made = "%s.%d" % (library, os.getpid())
            subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", made, source],
                           check=True)
            os.rename(made, library)
        return library
