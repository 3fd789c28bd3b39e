"""A whole machine in QEMU, without KVM: the image of Debian packages that `image` makes, systemd as its
PID 1, and NVMe disks of EC2's models from the kernel's own NVMe target.

The root is an overlay over the image, one for all boots of a run. The program and the tests come on a
read-only disk that is made for each boot. What the inside says goes to a virtio port that is a file here; what
it asks of the outside goes to another one (host.py).
"""

import glob
import os
import random
import shutil
import subprocess
import sys
import tarfile

import harness
import host
from harness import SOURCE, ScenarioError

HERE = os.path.dirname(os.path.abspath(__file__))
INSTANCE = "i-0123456789abcdef0"                           # as the simulator has it
INSIDE = "/source"                                         # where the read-only disk is mounted
FOLDERS = ("tests/ami", "tests/uml", "tests/simulator")    # what is on it, beside the program


# What QEMU emulates: its program, its arguments, the kernel's console and what else the kernel is told.
MACHINES = {
    # Where this machine has a lot to do no tick may come while the kernel looks whether they do, and it gives up
    # ("IO-APIC + timer doesn't work"): no_timer_check.
    "amd64": ("qemu-system-x86_64", ["-machine", "q35", "-cpu", "max"], "console=ttyS0 no_timer_check"),
    # Pointer authentication by the architecture's own cipher takes half of the time.
    "arm64": ("qemu-system-aarch64", ["-machine", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"], "console=ttyAMA0"),
}


class Ami(harness.Run):
    """A run in QEMU."""

    FOLDER = HERE
    REFERENCE_US = 40000  # emulated
    SETTINGS = {
        "time": "300",
        "ebs-size": "64M",        # of each EBS volume: nobody formats them
        "machine": "amd64",       # or arm64: the program is build/muster-arm64 then
        "processors": "2",
        "kernel": "",             # arguments of the kernel beyond the usual ones
        "cloud-init": "disabled", # or enabled; or later: from the second boot on
        "firmware": "QEMU",       # or EC2: what DMI says, the instance's id in it
        "package": "no",          # or yes: the deb of build/packages is in /source
        "clock": "host",          # or instructions: time is their count, whatever else this machine does
        "root": "attached",       # or stoppable: a process serves it
        "services": "inside",     # or outside: the metadata service and the endpoint, on this machine
        "slots": "0",             # for disks that are plugged later
    }

    def __init__(self, scenario, *arguments, **options):
        super().__init__(scenario, *arguments, **options)
        self.machine = scenario.values["machine"]
        self.image = None
        self.host = None
        self.number = 0
        for key, words in (("machine", MACHINES), ("cloud-init", ("enabled", "disabled", "later")),
                           ("firmware", ("QEMU", "EC2")), ("package", ("yes", "no")), ("clock", ("host", "instructions")),
                           ("root", ("attached", "stoppable")), ("services", ("inside", "outside"))):
            if scenario.values[key] not in words:
                raise ScenarioError("%s: %s" % (key, " or ".join(words)))

    @staticmethod
    def require_tools():
        for tool in ("qemu-img", "qemu-nbd", "setpriv", "mkfs.ext4"):
            if not shutil.which(tool):
                sys.exit("ami: %s is not installed: ./dev deps" % tool)

    @staticmethod
    def needs(scenario):
        machine = scenario.values["machine"]
        packages = "packages" if machine == "amd64" else "packages." + machine
        return [*harness.Run.needs(scenario), "image." + machine,
                *([packages] if scenario.values["package"] == "yes" else [])]

    def program(self):
        return "muster" if self.scenario.values["machine"] == "amd64" else "muster-" + self.scenario.values["machine"]

    def _file(self, name):
        return os.path.join(self.work, name)

    def prepare(self, number, boot):
        self.number = number
        if self.image is None:
            self.image = subprocess.run([os.path.join(HERE, "image"), self.machine], check=True, text=True,
                                        stdout=subprocess.PIPE).stdout.strip()
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
                            "-b", os.path.join(self.image, "root.img"), self._file("root.qcow2")], check=True)
        # Controllers and disks are numbered in the order in which they are connected.
        names = (["ephemeral%d" % i for i in range(self.scenario.disks)] +
                 ["ebs%d" % i for i in range(self.scenario.ebs)])
        random.Random("%d %d" % (self.scenario.seed, number)).shuffle(names)
        self._make_source(number, ORDER=" ".join(names), BLANK="yes" if boot.blank else "",
                          SIZE=self.scenario.values["size"], EBS_SIZE=self.scenario.values["ebs-size"],
                          ROOT=self.scenario.values["root"], SERVICES=self.scenario.values["services"],
                          ENDPOINT="http://" + host.ENDPOINT if self.scenario.values["services"] == "outside" else "")

    def _make_source(self, number, **variables):
        """The read-only disk: the program, the tests, the variables."""
        folder, disk = self._file("source"), self._file("source.img")
        shutil.rmtree(folder, ignore_errors=True)
        for name in FOLDERS:
            shutil.copytree(os.path.join(SOURCE, name), os.path.join(folder, name),
                            ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(self.muster, os.path.join(folder, "muster"))
        if self.scenario.values["package"] == "yes":
            found = glob.glob(os.path.join(SOURCE, "build", "packages", "muster_*_%s.deb" % self.machine))
            if len(found) != 1:
                raise ScenarioError("build/packages: ./dev package")
            shutil.copy(found[0], os.path.join(folder, "muster.deb"))
        shutil.copy(self.scenario.path, os.path.join(folder, "scenario.sh"))
        self.write_environment(
            os.path.join(folder, "env"), number, MUSTER=INSIDE + "/muster", SOURCE=INSIDE,
            SCENARIO=INSIDE + "/scenario.sh", **variables)
        harness.make_disk(disk, "32M", anew=True)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", "-d", folder, disk], check=True)

    def command(self):
        values = self.scenario.values
        # Linux 6.1 takes pages that NVMe over TCP sends to the machine itself, where two huge pages meet, for
        # a stray copy, and ends the target's worker ("usercopy: Kernel memory exposure attempt").
        qemu, machine, more = MACHINES[self.machine]
        kernel = ("root=/dev/nvme0n1 ro net.ifnames=0 oops=panic panic=-1 hardened_usercopy=off"
                  " loglevel=4 systemd.show_status=1 cloud-init=%s %s %s" % (self._cloud_init(), more, values["kernel"]))
        if values["root"] == "stoppable":
            # What Amazon advises for EBS: an answer is waited for, for ever.
            kernel += " nvme_core.io_timeout=4294967295"
        # Names relative to the work folder: a comma in a path would be QEMU's own.
        return [
            "setpriv", "--pdeathsig", "KILL", qemu, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            *machine, *self._pace(),
            "-smp", values["processors"], "-m", values["memory"],
            "-kernel", os.path.join(self.image, "vmlinuz"), "-append", kernel,
            "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
            "-drive", "if=none,id=source,format=raw,readonly=on,file=source.img",
            "-device", "virtio-blk-pci,drive=source,serial=source",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-chardev", "file,id=said,append=on,path=said",
            "-device", "virtserialport,chardev=said,name=muster.said",
            "-chardev", "file,id=kept,append=on,path=kept.tar",
            "-device", "virtserialport,chardev=kept,name=muster.kept",
            *self._firmware(), *self.host.arguments(), "-device", "nvme,drive=root,serial=vol0aaaaaaaaaaaaaaaa",
        ], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def _cloud_init(self):
        wanted = self.scenario.values["cloud-init"]
        return wanted if wanted != "later" else "disabled" if self.number == 1 else "enabled"

    def _firmware(self):
        """What Nitro's firmware says: cloud-init knows EC2 by it, and muster the instance's id."""
        if self.scenario.values["firmware"] == "QEMU":
            return []
        instance = host.next_script(self.work).get("instance", {}).get("instance-id", INSTANCE)
        system = "ec2" + instance[2:7] + "-0000-4000-8000-0123456789ab"
        return ["-smbios", "type=1,manufacturer=Amazon EC2,product=i4i.large,uuid=%s,serial=%s" % (system, system),
                "-smbios", "type=2,manufacturer=Amazon EC2,asset=" + instance]

    def _pace(self):
        if self.scenario.values["clock"] == "instructions":
            # One thread then; a thousand million instructions a second.
            return ["-accel", "tcg,thread=single", "-icount", "shift=0"]
        return ["-accel", "tcg,thread=multi"]

    def start_beside(self):
        self.host = host.Host(self.work, self.scenario.values)
        return self.host.descriptors()

    def stop_beside(self):
        if self.host:
            self.host.stop()
            self.host = None

    def keep_files(self):
        for name in ("reports.jsonl", "requests.jsonl"):
            if os.path.exists(self._file(name)):
                shutil.copy(self._file(name), self.log_folder)
        # One archive after the other, one a boot.
        kept = self._file("kept.tar")
        if os.path.exists(kept) and os.path.getsize(kept):
            with tarfile.open(kept, ignore_zeros=True) as archive:
                archive.extractall(self.log_folder)
