"""How an endpoint can fail, each way at the default deadline: delivered or spooled, when, with how many tries.

What comes out is printed, and is the table in docs/delivery.md. The rules of the simulator's scripts are put on
the verdict alone, so that what happened to `in-progress` does not count. Whatever was spooled is delivered,
once, when the endpoint is well.
"""

import json
import os
import socket
import threading
import unittest

from case import Case, waits
from machine import SOURCES, Simulator, configuration, only

DEADLINE = 60
# Seconds of the delivery: it may end as soon as there is too little room for another try (courier.cpp).
EARLY = (24, 62)
SCRIPTS = os.path.join(SOURCES, "tests", "simulator", "scripts")
WHOLE_SERVICE = {"refuse", "drop_connects"}


def for_the_verdict(name):
    """The script, with each of its rules on the verdict alone."""
    with open(os.path.join(SCRIPTS, f"endpoint_{name}.json"), encoding="utf-8") as file:
        rules = json.load(file)["endpoint"]
    return {"endpoint": [rule if WHOLE_SERVICE & set(rule) else {**rule, "contains": '"ready"'}
                         for rule in rules]}


class NameServer:
    """Says that there is no such name, or nothing at all."""

    def __init__(self, address, answers):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.asked = 0
        self.answers = answers
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(512)
            except OSError:
                return
            self.asked += 1
            if self.answers and len(question) > 12:
                # RFC 1035, 4.1.1: a response, recursion available, name error; the question again.
                self.socket.sendto(question[:2] + b"\x81\x83" + question[4:6] + bytes(6) + question[12:], peer)

    def close(self):
        self.socket.close()


class Misbehaviour(Case):
    def row(self, name, simulator, machine, delivered, tries, seconds, within=()):
        """`tries`, `seconds`: (least, most) of the delivery."""
        outcome = self.ends(machine.run("run", timeout=DEADLINE + 30), 0 if delivered else 3)
        status = machine.read_json("/run/muster/status.json")
        delivery = only(status["deliveries"])
        stages = max([stage["end"] or 0 for stage in status["timings"]] + [0])
        took = outcome.seconds - stages
        print(f"| {name} | {'delivered' if delivered else 'spooled'} | {took:.0f} s | "
              f"{delivery['tries']} | {delivery['error'].splitlines()[0][:110] if delivery['error'] else ''} |", flush=True)
        self.assertIs(delivery["delivered"], delivered)
        self.assertTrue(tries[0] <= delivery["tries"] <= tries[1], delivery)
        self.assertTrue(seconds[0] <= took <= seconds[1], took)
        for word in within:
            self.assertIn(word, delivery["error"])
        self.assertEqual(len(machine.list("/run/muster/spool")), 0 if delivered else 1)
        if not delivered:
            self.is_sent_later(simulator, machine)

    def is_sent_later(self, simulator, machine):
        simulator.swap({"endpoint": []})
        machine.write("/etc/muster/conf.d/99.json", {"report": {"to": {"scaler": {
            "url": simulator.endpoint + "/v1/reports"}}}})
        before = len(simulator.requests())  # an endpoint that drips may think that it has taken some
        self.ends(machine.run("deliver"), 0)
        request = only(simulator.requests()[before:])
        self.assertEqual(request["status"], 200)
        self.is_ready(request["json"])

    def script(self, name, *expected, **more):
        simulator, machine = self.pair(for_the_verdict(name), report={"deadline": f"{DEADLINE}s"},
                                       deadline="120s")
        self.row(name.replace("_", " "), simulator, machine, *expected, **more)

    @waits(60)
    def test_refused(self):
        self.script("down", False, (4, 60), EARLY)

    @waits(60)
    def test_black_hole(self):
        self.script("blackhole", False, (4, 7), (45, 62), within=("timed out",))

    @waits(60)
    def test_connects_are_dropped(self):
        self.script("unreachable", False, (4, 20), EARLY)

    @waits(60)
    def test_stalls_after_the_head(self):
        self.script("stalls_after_headers", False, (4, 7), (45, 62), within=("timed out",))

    @waits(60)
    def test_stalls_in_the_body(self):
        self.script("stalls_mid_body", False, (4, 7), (45, 62), within=("timed out",))

    @waits(60)
    def test_a_byte_a_second(self):
        self.script("drip", False, (4, 7), (45, 62), within=("timed out",))

    @waits(60)
    def test_resets(self):
        self.script("resets", False, (4, 60), EARLY)

    @waits(60)
    def test_500_for_a_minute(self):
        self.script("500_for_a_minute", False, (4, 60), EARLY, within=("answered 500",))

    @waits(5)
    def test_500_three_times(self):
        self.script("500_then_ok", True, (4, 4), (0, 9))

    @waits(5)
    def test_retry_after_in_both_forms(self):
        self.script("429_retry_after", True, (3, 3), (1.9, 12))

    def test_retry_after_that_is_absurd(self):
        """A day is no use, and it is spooled at once: no other try would come before the deadline."""
        self.script("429_absurd", False, (1, 1), (0, 5), within=("answered 429",))

    def test_301(self):
        self.script("redirect", False, (1, 1), (0, 5), within=("answered 301",))

    def test_401(self):
        self.script("unauthorized", False, (1, 1), (0, 5), within=("answered 401",))

    def test_403(self):
        self.script("denied", False, (1, 1), (0, 5), within=("answered 403",))

    def test_413(self):
        self.script("too_large", False, (1, 1), (0, 5), within=("answered 413",))

    def test_garbage_with_200(self):
        self.script("garbage", True, (1, 1), (0, 5))

    def test_not_http(self):
        self.script("not_http", False, (1, 60), (0, 62))

    @waits(3)
    def test_slow(self):
        self.script("slow", True, (1, 1), (2.9, 9))

    @waits(30)
    def test_up_later(self):
        self.script("up_later", True, (3, 40), (10, 62))

    def named(self, host, hosts=None, servers=""):
        """A machine that knows the endpoint by a name. Its /etc is full of links to this host's."""
        simulator = self.simulator()
        port = simulator.endpoint.rsplit(":", 1)[1]
        machine = self.machine(configuration(simulator, deadline="120s", report={
            "deadline": f"{DEADLINE}s",
            "to": {"scaler": {"url": f"http://{host}:{port}/v1/reports"}}}))
        for name, text in (("/etc/hosts", hosts), ("/etc/resolv.conf", servers)):
            if text is not None:
                if os.path.lexists(machine.path(name)):
                    os.unlink(machine.path(name))
                machine.write(name, text)
        return simulator, machine

    @waits(60)
    def test_no_such_name(self):
        server = NameServer("127.0.0.97", answers=True)
        self.addCleanup(server.close)
        simulator, machine = self.named("scaler.invalid", servers="nameserver 127.0.0.97\n")
        self.row("DNS: no such name", simulator, machine, False, (4, 60), EARLY,
                 within=("scaler.invalid",))
        self.assertGreater(server.asked, 1)

    @waits(60)
    def test_names_hang(self):
        server = NameServer("127.0.0.98", answers=False)
        self.addCleanup(server.close)
        simulator, machine = self.named("scaler.invalid", servers="nameserver 127.0.0.98\n")
        self.row("DNS: no answer", simulator, machine, False, (4, 20), EARLY)
        self.assertGreater(server.asked, 1)

    @unittest.skipUnless(os.path.exists("/proc/net/if_inet6"), "no IPv6 here")
    def test_ipv6_is_a_black_hole_and_ipv4_is_well(self):
        simulator, machine = self.named("scaler.test", hosts="::1 scaler.test\n127.0.0.1 scaler.test\n")
        hole = Simulator("endpoint_unreachable", options=(
            "--endpoint-bind", "::1", "--endpoint-port", simulator.endpoint.rsplit(":", 1)[1]))
        self.addCleanup(hole.close)
        self.row("IPv6 a black hole, IPv4 well", simulator, machine, True, (1, 1), (0, 5))


if __name__ == "__main__":
    unittest.main()
