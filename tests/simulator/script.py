"""Scripts: data files that say what the instance is and what goes wrong.

Several may be given; each is merged over the one before (RFC 7396), so a test
can put an instance, a metadata fault and an endpoint fault together by name.
"""

import json
import os

from rules import ScriptError

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
KEYS = ("comment", "extends", "instance", "options", "metadata", "endpoint")
OPTIONS = ("imdsv1", "token_lifetime")


def merge(base, patch):
    """RFC 7396: objects merge, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def find(name, beside=None):
    """The file a script's name stands for: a path, or one of scripts/."""
    folders = [folder for folder in (beside, os.getcwd(), SCRIPTS) if folder]
    for folder in folders:
        for candidate in (name, name + ".json"):
            path = os.path.join(folder, candidate)
            if os.path.isfile(path):
                return path
    raise ScriptError("no script %r in %s" % (name, ", ".join(folders)))


def load(name):
    """One script by name, path, or as JSON itself, with what it extends."""
    if name.lstrip().startswith("{"):
        return expand(parse(name, "inline script"))
    path = find(name)
    with open(path, encoding="utf-8") as file:
        return expand(parse(file.read(), path), os.path.dirname(path), path)


def parse(text, place):
    try:
        return json.loads(text)
    except ValueError as error:
        raise ScriptError("%s: %s" % (place, error)) from error


def expand(script, beside=None, place="script", depth=0):
    """Checks the top of a script and merges it over the one it extends."""
    if not isinstance(script, dict):
        raise ScriptError("%s: a script is an object" % place)
    for key in script:
        if key not in KEYS:
            raise ScriptError("%s: unknown key %r" % (place, key))
    for key in script.get("options") or {}:
        if key not in OPTIONS:
            raise ScriptError("%s: unknown option %r" % (place, key))
    if depth > 8:
        raise ScriptError("%s: extends itself" % place)
    script = dict(script)
    base = script.pop("extends", None)
    if base is None:
        return script
    path = find(base, beside)
    with open(path, encoding="utf-8") as file:
        parent = parse(file.read(), path)
    return merge(expand(parent, os.path.dirname(path), path, depth + 1), script)


def load_all(names, settings=()):
    """The whole script of a run. Where no script says who the instance is,
    it is the healthy one: a script of faults need not repeat it."""
    script = {}
    for name in names:
        script = merge(script, load(name))
    if "instance" not in script:
        script["instance"] = load("healthy.json")["instance"]
    for setting in settings:
        assign(script, setting)
    return expand(script, place="script after --set")


def assign(script, setting):
    """`a.b.c=VALUE`: replaces (does not merge) one value. VALUE is JSON, or
    else a plain string; null removes."""
    path, equals, text = setting.partition("=")
    if not equals:
        raise ScriptError("--set %s: expected PATH=VALUE" % setting)
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    keys = path.split(".")
    place = script
    for key in keys[:-1]:
        place = place.setdefault(key, {})
        if not isinstance(place, dict):
            raise ScriptError("--set %s: %r is not an object" % (setting, key))
    if value is None:
        place.pop(keys[-1], None)
    else:
        place[keys[-1]] = value
