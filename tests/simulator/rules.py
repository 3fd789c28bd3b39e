"""Rules: which request is spoilt, for how long, and how.

Each rule has a match (path, method, contains), a span (times, skip, from,
until, probability, sequence) and an action. The first rule that applies wins;
where none does, the answer is right. See README.md for the language.
"""

import fnmatch
import threading
import time

from answer import ACTIONS

MATCH = {"path": (str, list), "method": (str, list), "contains": (str,)}
SPAN = {"times": (int,), "skip": (int,), "from": (int, float), "until": (int, float),
        "since": (str,), "probability": (int, float), "seed": (int,), "sequence": (list,),
        "repeat": (bool,), "each_path": (bool,)}
GATE = {"refuse": (bool,), "drop_connects": (bool,), "at_least": (int,)}
NOTES = {"name": (str,), "comment": (str,)}

RIGHT = "right"
OPEN, REFUSE, DROP_CONNECTS = "open", "refuse", "drop_connects"


class ScriptError(Exception):
    """A mistake in a script, with the place of it."""


def check_keys(place, given, *tables):
    """Refuses an unknown key or a value of the wrong kind: a rule that is
    misspelt must not become a test that passes."""
    for key, value in given.items():
        kinds = next((table[key] for table in tables if key in table), None)
        if kinds is None:
            raise ScriptError("%s: unknown key %r" % (place, key))
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ScriptError("%s: %r is not of the kind expected: %r" % (place, key, value))


def _as_list(value):
    return [value] if isinstance(value, str) else value


class Rule:
    """One rule, and how often it has been met."""

    def __init__(self, place, given):
        if not isinstance(given, dict):
            raise ScriptError("%s: a rule is an object" % place)
        check_keys(place, given, MATCH, SPAN, GATE, NOTES, ACTIONS)
        self.name = given.get("name", place)
        self.paths = _as_list(given.get("path", "*"))
        self.methods = _as_list(given.get("method", []))
        self.contains = given.get("contains", "").encode("utf-8")
        self.times = given.get("times")
        self.skip = given.get("skip", 0)
        self.start = given.get("from", 0.0)
        self.end = given.get("until")
        self.since = given.get("since", "start")
        self.first_met = None
        self.repeat = given.get("repeat", False)
        self.action = {key: given[key] for key in given if key in ACTIONS}
        self.gate = next((gate for gate in (REFUSE, DROP_CONNECTS) if given.get(gate)), None)
        self.at_least = given.get("at_least", 0)
        self.refused = 0
        self.sequence = self._read_sequence(place, given)
        self.each_path = given.get("each_path", self.sequence is not None)
        self.probability = given.get("probability")
        self.counts = {}
        self.applied = 0
        if self.probability is not None:
            import random  # only a script that draws pays for it
            self.random = random.Random(given.get("seed", 0))
        self._check(place, given)

    @staticmethod
    def _read_sequence(place, given):
        if "sequence" not in given:
            return None
        items = []
        for position, item in enumerate(given["sequence"]):
            here = "%s.sequence[%d]" % (place, position)
            if item == RIGHT:
                items.append(RIGHT)
                continue
            if not isinstance(item, dict):
                raise ScriptError('%s: neither an action nor "right": %r' % (here, item))
            check_keys(here, item, ACTIONS, NOTES, {"times": (int,)})
            action = {key: item[key] for key in item if key in ACTIONS}
            items.extend([action] * item.get("times", 1))
        return items

    def _check(self, place, given):
        if self.since not in ("start", "first"):
            raise ScriptError('%s: since is "start" or "first", not %r' % (place, self.since))
        if self.gate:
            extra = set(given) - set(GATE) - set(NOTES) - {"from", "until", "since"}
            if extra:
                raise ScriptError("%s: %s is of the whole service: it takes only from, until and "
                                  "since, not %s" % (place, self.gate, ", ".join(sorted(extra))))
            counts = self.at_least or self.since == "first"
            if counts and (self.gate != REFUSE or "from" in given):
                raise ScriptError('%s: at_least and since "first" are of refuse, without from' % place)
        elif "at_least" in given:
            raise ScriptError("%s: at_least without refuse" % place)
        elif self.sequence is not None and self.action:
            raise ScriptError("%s: a sequence and an action of its own" % place)
        elif self.sequence is None and not self.action:
            raise ScriptError("%s: no action" % place)

    def is_in_window(self, now):
        return self.start <= now and (self.end is None or now < self.end)

    def is_shut(self, now):
        """Of a gate: until its time is over, and as many connects were refused as it says."""
        if self.refused < self.at_least:
            return True
        if self.end is None and self.at_least:
            return False
        if self.since == "first":
            return self.first_met is None or self.is_in_window(now - self.first_met)
        return self.is_in_window(now)

    def edges(self, now):
        """Of a gate: when its time may change it."""
        began = self.first_met if self.since == "first" else 0.0
        times = [] if began is None else [began + edge for edge in (self.start, self.end) if edge is not None]
        return [time for time in times if time > now]

    def note_refused(self, count, now):
        if self.first_met is None:
            self.first_met = now
        self.refused += count

    def matches(self, request):
        if self.methods and request.method not in self.methods:
            return False
        if self.contains and self.contains not in request.body:
            return False
        return any(fnmatch.fnmatchcase(request.path if pattern.startswith("/") else
                                       request.short_path, _without_end(pattern))
                   for pattern in self.paths)

    def consult(self, request, now):
        """This rule's action for the request, RIGHT, or None: not my business."""
        if self.gate or not self.matches(request):
            return None
        if self.first_met is None:
            self.first_met = now
        if not self.is_in_window(now - self.first_met if self.since == "first" else now):
            return None
        if self.probability is not None and self.random.random() >= self.probability:
            return None
        key = request.path if self.each_path else ""
        count = self.counts.get(key, 0)
        self.counts[key] = count + 1
        count -= self.skip
        if count < 0 or (self.times is not None and count >= self.times):
            return None
        if self.sequence is None:
            return self.action
        if self.repeat and self.sequence:
            count %= len(self.sequence)
        return self.sequence[count] if count < len(self.sequence) else None


def _without_end(pattern):
    """A folder is the same folder with and without its last slash."""
    return pattern.rstrip("/") if len(pattern) > 1 else pattern


class Rules:
    """The rules of one service, on one clock that starts with them."""

    def __init__(self, place, given):
        if not isinstance(given, list):
            raise ScriptError("%s: expected a list of rules" % place)
        self.rules = [Rule("%s[%d]" % (place, position), rule)
                      for position, rule in enumerate(given)]
        self.lock = threading.Lock()
        self.began = time.monotonic()

    def restart_clock(self):
        self.began = time.monotonic()

    def age(self):
        return time.monotonic() - self.began

    def consult(self, request):
        """(action, name of the rule) for a request; ({}, None) if it is right."""
        with self.lock:
            now = self.age()
            for rule in self.rules:
                action = rule.consult(request, now)
                if action is None:
                    continue
                if action == RIGHT:
                    return {}, None
                rule.applied += 1
                return action, rule.name
        return {}, None

    def gate(self):
        """What the listening socket should be now, and the seconds until that
        may change (None: never by itself)."""
        now = self.age()
        gate, changes = OPEN, []
        for rule in self.rules:
            if not rule.gate:
                continue
            if gate == OPEN and rule.is_shut(now):
                gate = rule.gate
            changes.extend(edge - now for edge in rule.edges(now))
        return gate, min(changes) if changes else None

    def note_refused(self, count):
        """So many connects were refused just now, by the rule that holds."""
        now = self.age()
        for rule in self.rules:
            if rule.gate and rule.is_shut(now):
                rule.note_refused(count, now)
                return

    def note_unseen(self):
        """What is refused can't be seen: a rule that waits for it goes by its time alone. True: one did wait."""
        waiting = [rule for rule in self.rules if rule.gate and (rule.at_least or rule.since == "first")]
        for rule in waiting:
            rule.at_least, rule.since = 0, "start"
        return bool(waiting)

    def applied(self):
        with self.lock:
            return {rule.name: rule.applied for rule in self.rules if not rule.gate}
