#!/usr/bin/python3
"""The packages of build/packages: what is in them, what they do to a machine, and that they are the same bytes
whenever they are made. `packaging/package` has made them."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGES = os.path.join(SOURCES, "build", "packages")
UNITS = os.path.join(SOURCES, "packaging", "systemd")


def run(*words, check=True, **options):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError("%s: %d\n%s" % (" ".join(words), done.returncode, done.stdout))
    return done.stdout


def the(pattern):
    found = glob.glob(os.path.join(PACKAGES, pattern))
    if len(found) != 1:
        raise AssertionError("%s: %s; ./dev package makes them" % (pattern, found))
    return found[0]


class Units(unittest.TestCase):
    def test_verify(self):
        with tempfile.TemporaryDirectory() as root:
            folder = os.path.join(root, "usr/lib/systemd")
            shutil.copytree("/lib/systemd/system", folder + "/system", symlinks=True)
            for name in ("usr/sbin/muster", "usr/bin/cloud-init", "usr/bin/grep", "usr/bin/kill"):
                os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
                shutil.copy("/bin/true", os.path.join(root, name))
            for link, target in (("lib", "usr/lib"), ("bin", "usr/bin"), ("etc", "usr/etc")):
                os.makedirs(os.path.join(root, target), exist_ok=True)
                os.symlink(target, os.path.join(root, link))
            names = []
            for path in glob.glob(UNITS + "/*.*"):
                if not path.endswith(".preset"):
                    shutil.copy(path, folder + "/system")
                    names.append(os.path.basename(path).replace("@.", "@ready."))
            self.assertEqual(run("systemd-analyze", "verify", "--man=no", "--root=" + root, *names).strip(), "")
            for name in sorted(names):
                if name.endswith(".service"):
                    print(run("systemd-analyze", "security", "--offline=yes", "--root=" + root, name, check=False)
                          .strip().splitlines()[-1], flush=True)

    def test_nothing_makes_a_mount_namespace_for_who_mounts(self):
        for name in ("muster.service", "muster-watch.service"):
            with open(os.path.join(UNITS, name), encoding="utf-8") as file:
                settings = re.findall(r"^(\w+)=", file.read(), flags=re.M)
            for word in settings:
                self.assertFalse(re.match(r"(Private|Protect|ReadOnly|ReadWrite|Inaccessible|Bind|Root|Temporary|"
                                          r"MountFlags|DynamicUser|ProcSubset|LogNamespace|ExecPaths|NoExec)", word), word)


class Lint(unittest.TestCase):
    def test_lintian(self):
        self.assertEqual(run("lintian", "--allow-root", "--fail-on", "error,warning", the("*_amd64.deb")), "")

    def test_rpmlint(self):
        text = run("rpmlint", "--config", os.path.join(SOURCES, "packaging/rpm/rpmlint.toml"), the("*.x86_64.rpm"))
        self.assertIn("0 errors, 0 warnings", text)

    def test_manual_pages(self):
        environment = dict(os.environ, SOURCE_DATE_EPOCH="1700000000")
        with open(os.path.join(SOURCES, "docs/configuration.md"), encoding="utf-8") as file:
            page = subprocess.run([os.path.join(SOURCES, "packaging/man/reference")], stdin=file, check=True,
                                  stdout=subprocess.PIPE, env=environment).stdout
        with tempfile.NamedTemporaryFile(suffix=".5") as file:
            file.write(page)
            file.flush()
            pages = (file.name, os.path.join(SOURCES, "packaging/man/muster.8"))
            for name in pages:
                self.assertEqual(run("mandoc", "-T", "lint", "-W", "warning", name), "")


class Content(unittest.TestCase):
    def files(self):
        text = run("dpkg-deb", "--contents", the("*_amd64.deb"))
        return {line.split()[5][1:]: line.split()[0] for line in text.splitlines() if line[0] == "-"}

    def test_both_kinds_hold_the_same(self):
        of_deb = {re.sub(r"^/lib/", "/usr/lib/", name).replace(".json.gz", ".json") for name in self.files()}
        of_rpm = {name for name in run("rpm", "-qlp", the("*.x86_64.rpm")).split()}
        only_deb = {name for name in of_deb - of_rpm if "lintian" not in name}
        self.assertEqual(only_deb, {"/usr/share/doc/muster/changelog.gz", "/usr/share/doc/muster/copyright"})
        self.assertEqual({name for name in of_rpm - of_deb if "." in os.path.basename(name) or "licen" in name},
                         {"/usr/share/licenses/muster/copyright"})

    def test_one_program_and_nothing_else_to_run(self):
        self.assertEqual([name for name, mode in self.files().items() if "x" in mode], ["/usr/sbin/muster"])
        self.assertTrue(all(mode in ("-rw-r--r--", "-rwxr-xr-x") for mode in self.files().values()))

    def test_the_list_of_parts(self):
        with tempfile.TemporaryDirectory() as folder:
            run("dpkg-deb", "--extract", the("*_amd64.deb"), folder)
            text = run("zcat", folder + "/usr/share/doc/muster/muster.spdx.json.gz")
            parts = {part["name"]: part for part in json.loads(text)["packages"]}
            with open(folder + "/usr/share/doc/muster/copyright", encoding="utf-8") as file:
                notices = file.read()
            digest = run("sha256sum", folder + "/usr/sbin/muster").split()[0]
        self.assertEqual(parts["muster"]["checksums"][0]["checksumValue"], digest)
        for name in ("curl", "openssl", "c-ares", "boost", "nlohmann-json", "spdlog", "fmt", "glibc"):
            self.assertRegex(parts[name]["versionInfo"], r"^\d")
            self.assertIn("usr/sbin/muster#" + name, notices)

    def test_two_builds_are_equal(self):
        with tempfile.TemporaryDirectory() as folder:
            run(os.path.join(SOURCES, "packaging/package"), "amd64", env=dict(os.environ, MUSTER_PACKAGES=folder))
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), "rb") as one, open(os.path.join(PACKAGES, name), "rb") as other:
                    self.assertEqual(one.read(), other.read(), name)


if __name__ == "__main__":
    unittest.main()
