"""A root of Debian to install the packages into, also one that boots in a container: made once by mmdebstrap and kept in
~/.cache/muster; needs root. Run as a program it makes it."""

import os
import shutil
import subprocess
import tempfile

PACKAGES = "lvm2,xfsprogs,systemd-sysv,dbus,cloud-init,iproute2,procps"
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "muster")


def run(*words, **options):
    """What it prints; an AssertionError with all of that where it fails."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode != 0:
        raise AssertionError("%s: %d\n%s" % (" ".join(words), done.returncode, done.stdout))
    return done.stdout


def kept():
    """The root. Another choice of packages wants another name."""
    root = os.path.join(CACHE, "root-bookworm-1")
    if not os.path.isdir(root):
        os.makedirs(CACHE, exist_ok=True)
        fresh = tempfile.mkdtemp(dir=CACHE)
        # The root's own dpkg does not wait for the disk after each file, here and in the tests: on a disk that is slow
        # to sync that was eight minutes.
        run("mmdebstrap", "--mode=root", "--variant=minbase", "--include=" + PACKAGES,
            "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=force-unsafe-io", "bookworm", fresh)
        try:
            os.rename(fresh, root)
        except OSError:  # two at the same time: the first one stays
            shutil.rmtree(fresh)
    return root


def copy_of_it(prefix):
    """A folder beside it, for the caller to remove."""
    root = kept()
    folder = tempfile.mkdtemp(prefix=prefix, dir=CACHE)
    run("cp", "-a", "--reflink=auto", root + "/.", folder)
    return folder


if __name__ == "__main__":
    print(kept())
