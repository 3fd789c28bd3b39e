#!/usr/bin/python3
"""The packages in a root of their own: installed, upgraded, downgraded, removed, purged and installed again, with dpkg
and with rpm. The root is Debian's, made once by mmdebstrap and kept in ~/.cache/muster; needs root.

No systemd runs in there, and no process of a test's is to be left in it.
"""

import glob
import os
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
from roots import copy_of_it, run

SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = os.path.join(SOURCES, "build", "packages")
WANTS = "/etc/systemd/system/multi-user.target.wants/muster.service"
TIMER = "/etc/systemd/system/timers.target.wants/muster-deliver.timer"
WATCH = "/etc/systemd/system/multi-user.target.wants/muster-watch.service"


class Root(unittest.TestCase):
    def setUp(self):
        self.folder = copy_of_it("muster-root-")
        self.addCleanup(shutil.rmtree, self.folder)

    def inside(self, *words):
        return run("chroot", self.folder, *words, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                                                       "DEBIAN_FRONTEND": "noninteractive"})

    def there(self, name):
        return os.path.lexists(self.folder + name)

    def check_enabled(self, *names):
        self.assertEqual([name for name in (WANTS, TIMER, WATCH) if self.there(name)], list(names))

    def check_nothing_was_started(self):
        self.assertFalse(self.there("/run/muster"))
        for process in glob.glob("/proc/[0-9]*/root"):
            try:
                self.assertFalse(os.readlink(process).startswith(self.folder), process)
            except OSError:
                pass

    def owner(self):
        os.makedirs(self.folder + "/etc/muster", exist_ok=True)
        os.makedirs(self.folder + "/var/lib/muster", exist_ok=True)
        for name in ("/etc/muster/muster.json", "/var/lib/muster/report.json"):
            with open(self.folder + name, "w", encoding="utf-8") as file:
                file.write("{}\n")


class Dpkg(Root):
    def deb(self, version=None):
        """The package, or the same with another version."""
        found = glob.glob(PACKAGES + "/muster_*_amd64.deb")
        self.assertEqual(len(found), 1, "./dev package")
        target = self.folder + "/package.deb"
        if version is None:
            shutil.copy(found[0], target)
            return
        with tempfile.TemporaryDirectory() as folder:
            run("dpkg-deb", "--raw-extract", found[0], folder + "/x")
            path = folder + "/x/DEBIAN/control"
            with open(path, encoding="utf-8") as file:
                lines = [("Version: " + version + "\n") if line.startswith("Version:") else line for line in file]
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(lines)
            run("dpkg-deb", "--root-owner-group", "-Znone", "--build", folder + "/x", target)

    def install(self, version=None):
        self.deb(version)
        text = self.inside("dpkg", "--install", "/package.deb")
        self.check_nothing_was_started()
        return text

    def test_a_life(self):
        self.install()
        self.check_enabled(WANTS, TIMER)
        self.assertIn("muster 0.", self.inside("muster", "--version"))
        self.assertEqual(self.inside("dpkg", "--verify", "muster"), "")
        self.owner()
        self.install("99.0")
        self.check_enabled(WANTS, TIMER)
        # What the owner has decided stays, whichever version comes.
        self.inside("systemctl", "disable", "muster.service")
        self.inside("systemctl", "enable", "muster-watch.service")
        self.install("100.0")
        self.check_enabled(TIMER, WATCH)
        self.assertIn("downgrading", self.install("0.0.1"))
        self.check_enabled(TIMER, WATCH)
        self.install("0.0.1")
        self.assertTrue(self.there("/etc/muster/muster.json") and self.there("/var/lib/muster/report.json"))

        self.inside("dpkg", "--remove", "muster")
        self.assertFalse(self.there("/usr/sbin/muster"))
        self.assertTrue(self.there("/etc/muster/muster.json") and self.there("/var/lib/muster/report.json"))
        self.inside("dpkg", "--purge", "muster")
        self.assertFalse(self.there("/var/lib/muster"))
        self.assertTrue(self.there("/etc/muster/muster.json"), "it is the owner's")
        self.check_enabled()
        left = run("find", self.folder, "-mindepth", "1", "-xdev", "-name", "*muster*", "!", "-path", "*/etc/muster*")
        self.assertEqual(left, "")
        self.install()
        self.check_enabled(WANTS, TIMER)


class Rpm(Root):
    def rpm(self, *words):
        text = run("rpm", "--root", self.folder, "--dbpath", "/var/lib/rpm", "--nodeps", *words)
        self.check_nothing_was_started()
        return text

    def test_a_life(self):
        package = glob.glob(PACKAGES + "/muster-*.x86_64.rpm")
        self.assertEqual(len(package), 1, "./dev package")
        self.rpm("--install", package[0])
        self.check_enabled(WANTS, TIMER)
        self.assertIn("muster 0.", self.inside("muster", "--version"))
        self.assertEqual(self.rpm("--verify", "muster"), "")
        self.owner()
        self.inside("systemctl", "disable", "muster.service")
        self.rpm("--upgrade", "--replacepkgs", package[0])
        self.check_enabled(TIMER)
        self.rpm("--erase", "muster")
        self.check_enabled()
        self.assertFalse(self.there("/usr/sbin/muster"))
        self.assertTrue(self.there("/etc/muster/muster.json"))
        self.rpm("--install", package[0])
        self.check_enabled(WANTS, TIMER)


if __name__ == "__main__":
    unittest.main()
