"""Roots of Debian to install the packages into: each made once by mmdebstrap and kept in ~/.cache/muster; needs root."""

import os
import subprocess
import tempfile

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "muster")


def run(*words, **options):
    """What it prints; an AssertionError with all of that where it fails."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode != 0:
        raise AssertionError("%s: %d\n%s" % (" ".join(words), done.returncode, done.stdout))
    return done.stdout


def kept(name, packages):
    """The root of that name. Another choice of packages wants another name."""
    root = os.path.join(CACHE, name)
    if not os.path.isdir(root):
        os.makedirs(CACHE, exist_ok=True)
        fresh = tempfile.mkdtemp(dir=CACHE)
        run("mmdebstrap", "--mode=root", "--variant=minbase", "--include=" + packages,
            "--dpkgopt=path-exclude=/usr/share/locale/*", "bookworm", fresh)
        os.rename(fresh, root)
    return root


def copy_of(root, prefix):
    """A folder beside it, for the caller to remove."""
    folder = tempfile.mkdtemp(prefix=prefix, dir=CACHE)
    run("cp", "-a", "--reflink=auto", root + "/.", folder)
    return folder
