#!/usr/bin/python3
"""The package under a real systemd with real cloud-init: a Debian root in a container (systemd-nspawn), booted as often as
there are cases. Metadata and endpoint are the simulator, inside; cloud-init takes its user-data from it as from EC2.

What is not in here is the disks: a container has none (tests/ami has). The units, their order, the targets, the
filters and time-outs, and what is told when something dies, are those of a machine. Needs root; the root is made once by
mmdebstrap and kept in ~/.cache/muster.
"""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
from pace import Limit
from roots import copy_of_it, run

SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATIENCE = 400  # seconds of a Limit, for a boot
UNTIL_ANNOUNCED = "until grep -q in-progress /result/reports.jsonl; do sleep 0.2; done"
# The verdict comes after it: else it overtakes an in-progress that is slow.
ANNOUNCED = {"announced": {"command": ["/bin/sh", "-c", UNTIL_ANNOUNCED], "deadline": "200s"}}
UNITS = ("muster.service", "muster-cloud-init.service", "muster-storage.target", "muster-ready.target",
         "muster-reached@ready.service", "muster-watch.service", "muster-deliver.timer", "muster-deliver.service", "application.service",
         "needs-disks.service", "cloud-init.service")
SHOWN = "ActiveState,SubState,Result,ExecMainStatus,ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic"

FILES = {
    "/etc/systemd/system/simulator.service": """
[Unit]
DefaultDependencies=no
Before=cloud-init-local.service cloud-init.service muster.service
After=local-fs.target
Conflicts=shutdown.target
Before=shutdown.target
[Service]
Type=exec
TimeoutStopSec=3
ExecStartPre=/bin/sh -c 'ip link set lo up && ip address replace 169.254.169.254/32 dev lo'
ExecStart=/usr/bin/python3 -S -E /simulator/simulator.py --bind 169.254.169.254 --metadata-port 80 --endpoint-port 8080 --record /result/reports.jsonl --log /result/requests.jsonl --script /result/script.json
ExecStartPost=/bin/sh -c 'until grep -q ":0050 .* 0A " /proc/net/tcp; do sleep 0.2; done'
[Install]
WantedBy=multi-user.target
""",
    # As the scenarios of tests/ami: all that is to be seen is seen once the machine is up, and then it goes down.
    "/etc/systemd/system/look.service": """
[Unit]
After=multi-user.target
[Service]
# Not oneshot: the boot is over while it looks.
Type=exec
ExecStart=/bin/sh /result/look
ExecStopPost=/bin/systemctl poweroff --no-block
RuntimeMaxSec=1800
[Install]
WantedBy=multi-user.target
""",
    "/etc/systemd/system/application.service": """
[Unit]
Requires=muster-ready.target
After=muster-ready.target
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
""",
    "/etc/systemd/system/needs-disks.service": """
[Unit]
Requires=muster-storage.target
After=muster-storage.target
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
""",
    "/etc/cloud/cloud.cfg.d/99-test.cfg": """
datasource_list: [Ec2]
datasource: {Ec2: {strict_id: false, max_wait: 30, timeout: 10}}
network: {config: disabled}
cloud_init_modules: [bootcmd]
cloud_config_modules: []
cloud_final_modules: []
""",
}

LOOK = """
systemctl is-system-running --wait
%s
systemctl show --property=Id,%s %s >/result/units
systemctl list-units --failed --plain --no-legend >/result/failed
journalctl -b --no-pager -o short-monotonic >/result/journal
journalctl -b -u muster -o json --no-pager --all >/result/journal.json
muster config >/result/config 2>&1
cp /var/log/cloud-init.log /result/
cp -r /run/muster /result/run 2>/dev/null
systemd-analyze --no-pager critical-chain application.service >/result/chain 2>&1
systemd-analyze --no-pager blame >/result/blame 2>&1
"""

# The reload's command only sends the signal: the job is over before the watch has read anything.
RELOAD = """
systemctl start muster-watch.service
systemctl reload muster-watch.service
until journalctl -b -u muster-watch --no-pager | grep -q "read anew" &&
        [ "$(systemctl is-active muster-watch.service)" = active ]; do
    sleep 0.5
done
"""


class Boot:
    """What one boot has left."""

    def __init__(self, folder, console):
        self.folder = folder
        self.console = console

    def text(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def reports(self):
        return [record["json"] for record in map(json.loads, self.text("reports.jsonl").splitlines())
                if record["status"] == 200]

    def outcomes(self):
        return [report["outcome"] for report in self.reports()]

    def unit(self, name):
        for block in self.text("units").split("\n\n"):
            values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            if values.get("Id") == name:
                return values
        raise AssertionError("%s\n%s\n%s" % (name, self.text("units"), self.console))

    def active(self, *names):
        return [self.unit(name)["ActiveState"] for name in names]


class Container(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.root = copy_of_it("muster-container-")
        cls.addClassCleanup(shutil.rmtree, cls.root)
        found = glob.glob(os.path.join(SOURCES, "build/packages/muster_*_amd64.deb"))
        if len(found) != 1:
            raise AssertionError("./dev package")
        shutil.copy(found[0], cls.root + "/muster.deb")
        run("chroot", cls.root, "dpkg", "--install", "/muster.deb")
        shutil.copytree(os.path.join(SOURCES, "tests/simulator"), cls.root + "/simulator")
        for path, text in FILES.items():
            cls.write(path, text)
        run("chroot", cls.root, "systemctl", "enable", "simulator", "look", "application", "needs-disks")

    @classmethod
    def write(cls, path, text):
        os.makedirs(os.path.dirname(cls.root + path), exist_ok=True)
        with open(cls.root + path, "w", encoding="utf-8") as file:
            file.write(text)

    REPORT = {"to": {"scaler": {"type": "webhook", "url": "http://127.0.0.1:8080/v1/reports", "proxy": ""}}}

    def configure(self, checks=(), announced=True, **changes):
        """The image's: who is told. No disk is expected, and the container's root is a folder of the host's."""
        self.write("/etc/muster/muster.json", json.dumps({
            "ephemeral": {"expect": "none"}, "ebs": {}, "metadata": {"absence_span": "300ms"},
            "root": {"min_free": "0%", "min_free_inodes": "0%"},
            "checks": {**(ANNOUNCED if announced else {}), **dict(checks)},
            "report": self.REPORT, **changes}))

    def boot(self, look="", script=None, user_data=None, arguments=()):
        folder = tempfile.mkdtemp(prefix="muster-result-")
        self.addCleanup(shutil.rmtree, folder)
        # Without EC2's firmware cloud-init asks for no token.
        script = {"options": {"imdsv1": True}, **(script or {})}
        if user_data is not None:
            script["instance"] = {"user-data": user_data}
        with open(folder + "/script.json", "w", encoding="utf-8") as file:
            json.dump({"extends": "healthy", **script} if "extends" not in script else script, file)
        with open(folder + "/look", "w", encoding="utf-8") as file:
            file.write(LOOK % (look, SHOWN, " ".join(UNITS)))
        words = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--capability=all",
                 "--bind=" + folder + ":/result", "--directory=" + self.root, "--boot", *arguments]
        environment = dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1")
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env=environment, start_new_session=True)
        boot = Boot(folder, self.console_of(process))
        if os.environ.get("MUSTER_SHOW"):
            print(self.id(), *(boot.text(name)[-6000:] for name in sorted(os.listdir(folder)) if name != "run"),
                  boot.console[-1500:], sep="\n---\n", flush=True)
        return boot

    @staticmethod
    def console_of(process):
        """All that it has said when it is down."""
        limit = Limit(PATIENCE)
        while True:
            try:
                return process.communicate(timeout=5)[0].decode("utf-8", "replace")
            except subprocess.TimeoutExpired:
                if not limit.is_over():
                    continue
            process.send_signal(signal.SIGKILL)
            console = process.communicate()[0].decode("utf-8", "replace")
            raise AssertionError("not down within %s\n%s" % (limit, console))

    USER_DATA = "#cloud-config\nmuster:\n  checks:\n    of-user-data: {command: [/bin/true]}\n"

    def test_1_ready(self):
        self.configure()
        boot = self.boot(user_data=self.USER_DATA)
        self.assertEqual(boot.outcomes(), ["in-progress", "ready"], boot.text("journal")[-4000:])
        checks = [finding["subject"] for finding in boot.reports()[-1]["findings"] if finding["check"] == "checks"]
        self.assertIn("of-user-data", json.dumps(boot.reports()[-1]["findings"]), checks)
        self.assertEqual(boot.active("muster.service", "muster-ready.target", "muster-storage.target",
                                     "application.service", "needs-disks.service", "muster-deliver.timer"),
                         ["active"] * 6)
        self.assertEqual(boot.active("muster-watch.service", "muster-cloud-init.service"), ["inactive", "active"])
        self.assertEqual(boot.unit("muster.service")["SubState"], "exited")
        stages = {json.loads(line).get("MUSTER_STAGE") for line in boot.text("journal.json").splitlines()}
        self.assertIn("root", stages, "the journal's fields")
        self.assertNotIn("muster", boot.text("failed"))
        self.assertNotIn("can't lock", boot.text("journal"))
        print("with muster:", boot.text("chain"), boot.text("blame")[:700], sep="\n", flush=True)

    def test_2_the_key_is_wrong(self):
        self.configure()
        boot = self.boot(user_data="#cloud-config\nmuster: {deadline: soon}\n")
        report = boot.reports()[-1]
        self.assertEqual((report["outcome"], report["reason"]["code"]), ("failed", "config-invalid"))
        self.assertIn("50-cloud-init.json", report["reason"]["message"])
        self.assertEqual(boot.active("muster-ready.target", "application.service", "needs-disks.service"),
                         ["inactive"] * 3)

    def test_3_a_check_fails(self):
        self.configure(checks={"no": {"command": ["/bin/false"]}})
        boot = self.boot()
        self.assertEqual(boot.outcomes(), ["in-progress", "failed"])
        self.assertEqual(boot.active("muster-storage.target", "needs-disks.service"), ["active"] * 2)
        self.assertEqual(boot.active("muster-ready.target", "application.service"), ["inactive"] * 2)

    def test_4_the_endpoint_is_down(self):
        """It takes a connection and never answers, so that a delivery lasts as long as it may."""
        self.configure(announced=False, report={**self.REPORT, "deadline": "20s"})
        # The unit as it is, but for how long it tries.
        boot = self.boot("folder=/run/systemd/system/muster-deliver.service.d; mkdir $folder\n"
                         "sed -n 's/^ExecStart=\\(.*\\) --for 10m$/[Service]\\nExecStart=\\nExecStart=\\1 --for 15s/p' "
                         "$(systemctl show -P FragmentPath muster-deliver.service) >$folder/soon.conf\n"
                         "systemctl daemon-reload\n"
                         "systemctl start muster-deliver.service; echo $? >/result/delivered\n"
                         "systemctl is-active muster-deliver.service >/result/meanwhile\n"
                         "while systemctl is-active --quiet muster-deliver.service; do sleep 0.5; done",
                         script={"endpoint": [{"blackhole": True}]})
        self.assertEqual(boot.outcomes(), [])
        self.assertEqual(boot.active("muster-ready.target", "application.service", "needs-disks.service"),
                         ["active"] * 3)
        for name in ("muster.service", "muster-deliver.service"):
            unit = boot.unit(name)
            self.assertEqual((name, unit["Result"], unit["ExecMainStatus"]), (name, "success", "3"))
        self.assertEqual(boot.text("delivered"), "0\n")
        self.assertEqual(boot.text("meanwhile"), "active\n", "a boot waits for it")
        unit = boot.unit("muster.service")
        self.assertLess(int(boot.unit("application.service")["ExecMainStartTimestampMonotonic"]),
                        int(unit["ExecMainExitTimestampMonotonic"]), "it did not wait for the delivery")

    def test_5_it_is_killed(self):
        """By the kernel for want of memory, say; here at its first check."""
        kill = UNTIL_ANNOUNCED + "; kill -9 $(/bin/systemctl show -P MainPID muster.service)"
        self.configure(checks={"kill": {"command": ["/bin/sh", "-c", kill], "deadline": "200s"}})
        boot = self.boot()
        self.assertEqual(boot.outcomes(), ["in-progress", "failed"], boot.text("journal")[-4000:])
        reason = boot.reports()[-1]["reason"]
        self.assertEqual(reason["code"], "internal")
        self.assertIn("signal, killed KILL", reason["message"])
        self.assertEqual(boot.active("muster.service", "muster-ready.target", "application.service"),
                         ["failed", "inactive", "inactive"])

    def test_6_observe(self):
        self.configure(mode="observe", checks={"no": {"command": ["/bin/false"]}})
        boot = self.boot()
        self.assertEqual(boot.outcomes(), ["in-progress", "failed"])
        self.assertIs(boot.reports()[-1]["enforced"], False)
        self.assertEqual(boot.active("muster-ready.target", "application.service"), ["active"] * 2)

    def test_7_disabled(self):
        self.configure(checks={"no": {"command": ["/bin/false"]}})
        self.write("/etc/muster/disabled", "")
        try:
            boot = self.boot(user_data=self.USER_DATA)
        finally:
            os.unlink(self.root + "/etc/muster/disabled")
        self.switched_off(boot)
        self.assertEqual(boot.active("muster-cloud-init.service"), ["inactive"])
        print("without:", boot.text("chain"), boot.text("blame")[:700], sep="\n", flush=True)

    def test_7_muster_off(self):
        """The kernel's argument. A container has the host's /proc/cmdline; what is told to systemd, systemd believes."""
        self.configure(checks={"no": {"command": ["/bin/false"]}})
        self.write("/cmdline", "root=/dev/nvme0n1p1 ro muster=off\n")
        self.write("/etc/systemd/system/cmdline.service", """
[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/mount --bind /cmdline /proc/cmdline
[Install]
WantedBy=sysinit.target
""")
        # These have mounts of their own.
        self.write("/etc/systemd/system/muster-reached@.service.d/cmdline.conf",
                   "[Service]\nBindReadOnlyPaths=/cmdline:/proc/cmdline\n")
        run("chroot", self.root, "systemctl", "enable", "cmdline")
        try:
            boot = self.boot(user_data=self.USER_DATA, arguments=("muster=off",))
        finally:
            run("chroot", self.root, "systemctl", "disable", "cmdline")
            shutil.rmtree(self.root + "/etc/systemd/system/muster-reached@.service.d")
        self.switched_off(boot)
        self.assertEqual(boot.active("muster-cloud-init.service"), ["inactive"])

    def switched_off(self, boot):
        self.assertIn("switched off", boot.text("journal"))
        self.assertEqual(boot.outcomes(), [])
        self.assertEqual(boot.active("muster.service", "muster-ready.target", "application.service"), ["active"] * 3)

    def test_8_a_newer_key(self):
        self.configure(tomorrow={"better": True})
        boot = self.boot(RELOAD)
        self.assertEqual(boot.outcomes()[:2], ["in-progress", "ready"])
        self.assertEqual(boot.active("muster-watch.service"), ["active"])
        self.assertIn("the configuration was read anew", boot.text("journal"))
        self.assertEqual(boot.active("muster-cloud-init.service"), ["inactive"], "nobody has told cloud-init of us")
        self.assertIn("config-unknown-key", json.dumps(boot.reports()[1]["findings"]))

    def test_9_cloud_init_fails(self):
        self.configure()
        program = self.root + "/usr/bin/cloud-init"
        os.rename(program, program + ".real")
        shutil.copy("/bin/false", program)
        try:
            boot = self.boot(user_data=self.USER_DATA)
        finally:
            os.rename(program + ".real", program)
        self.assertEqual(boot.active("cloud-init.service"), ["failed"])
        self.assertEqual(boot.outcomes(), ["in-progress", "ready"])
        self.assertNotIn("of-user-data", boot.text("config"), "nothing of another boot is taken for user-data")


if __name__ == "__main__":
    unittest.main()
