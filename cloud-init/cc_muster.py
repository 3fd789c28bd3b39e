"""The key `muster` of the user-data becomes /run/muster/conf.d/50-cloud-init.json.

What it holds is written as it is, right or wrong: `muster run` reads it, and reports what is wrong
(`failed / config-invalid`), which nobody would see in cloud-init's log. The key is checked against our own schema
all the same, and what that says is logged: cloud-init's own schema has no room for the keys of others
(canonical/cloud-init#5558), and calls this one unexpected.

At every boot, since /run is empty then. muster-cloud-init.service runs it (cloud-init single), as cloud-init 22.2 and
later have it: `meta`, and `handle` with the arguments of either time.
"""

import json
import logging
import os
import tempfile

from cloudinit.settings import PER_ALWAYS

LOG = logging.getLogger(__name__)

meta = {
    "id": "cc_muster",
    "name": "Muster",
    "title": "Configure muster",
    "description": "What an EC2 instance must have before it is called ready: see muster.json(5).",
    "distros": ["all"],
    "frequency": PER_ALWAYS,
    "examples": [],
    "activate_by_schema_keys": ["muster"],
}

TARGET = "/run/muster/conf.d/50-cloud-init.json"
SCHEMA = "/usr/share/muster/muster.schema.json"


# cloud-init looks at how many parameters there are: five, and it gives a log, too, and calls that out of date.
# Up to 23.1 they are positional (name, cfg, cloud, log, args), since then named.
def handle(name, cfg, *_rest, **_more):
    if "muster" not in cfg:
        LOG.debug("%s: no key `muster`", name)
        remove(TARGET)
        return
    for mistake in mistakes(cfg["muster"], SCHEMA):
        LOG.warning("muster: %s", mistake)
    write(TARGET, text_of(cfg["muster"]))


def text_of(value):
    # YAML has values that JSON has not (2026-11-25 is a date): as text, for muster to find fault with.
    return json.dumps(value, indent=2, default=str) + "\n"


def mistakes(value, path):
    """What our schema has against it; nothing where that can't be told."""
    try:
        import jsonschema

        with open(path, encoding="utf-8") as file:
            validator = jsonschema.Draft7Validator(json.load(file))
        return ["%s: %s" % (".".join(map(str, error.path)) or "the whole", error.message.splitlines()[0][:300])
                for error in validator.iter_errors(json.loads(text_of(value)))]
    except (ImportError, OSError, ValueError) as error:
        LOG.debug("not checked against %s: %s", path, error)
        return []


def write(path, text):
    """Whole or not at all, for root only: an owner may have put a secret there."""
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    # Hidden files are left out by muster, until it has its name.
    descriptor, temporary = tempfile.mkstemp(prefix=".50-cloud-init.", dir=folder)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def remove(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
