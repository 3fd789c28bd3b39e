"""How an endpoint can fail, each way at the default deadline: delivered or spooled, when, with how many tries.

What comes out is printed, and is the table in docs/delivery.md. The simulator's scripts are put on between
`in-progress` and the verdict, so that what happened to the first does not count. Whatever was spooled is delivered,
once, when the endpoint is well.
"""

import json
import os
import socket
import threading
import unittest

from case import ENDLESS, LONG, Case, waits
from machine import SOURCES, Simulator, configuration, only, own_address

# Seconds of the delivery: it may end as soon as there is too little room for another try (courier.cpp). That it
# ends at its deadline of 60 s is shown by its end: these endpoints are never well by themselves.
EARLY = 24
SCRIPTS = os.path.join(SOURCES, "tests", "simulator", "scripts")


def script_of(name):
    with open(os.path.join(SCRIPTS, f"endpoint_{name}.json"), encoding="utf-8") as file:
        return {"endpoint": json.load(file)["endpoint"]}


class NameServer:
    """Says that there is no such name, or nothing at all."""

    def __init__(self, answers):
        self.address = own_address()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, 53))
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
    def row(self, name, simulator, machine, delivered, tries, least=0.0, within=(), script=None):
        """`tries`: (least, most); `least`: seconds of the delivery."""
        told = (lambda: simulator.taken() and [simulator.swap(script)]) if script else (lambda: True)
        outcome = self.ends(machine.run_until_told(told), 0 if delivered else 3)
        status = machine.read_json("/run/muster/status.json")
        delivery = only(status["deliveries"])
        stages = max([stage["end"] or 0 for stage in status["timings"]] + [0])
        took = outcome.seconds - stages
        error = delivery["error"].splitlines()[0][:110] if delivery["error"] else ""
        print(f"| {name} | {'delivered' if delivered else 'spooled'} | {took:.0f} s | "
              f"{delivery['tries']} | {error} |", flush=True)
        self.assertIs(delivery["delivered"], delivered)
        self.assertTrue(tries[0] <= delivery["tries"] <= tries[1], delivery)
        self.assertGreaterEqual(took, least)
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
        self.delivers(machine)
        request = only(simulator.requests()[before:])
        self.assertEqual(request["status"], 200)
        self.is_ready(request["json"])

    def script(self, name, *expected, deadlines=None, **more):
        simulator, machine = self.pair(**(deadlines or {}))
        self.row(name.replace("_", " "), simulator, machine, *expected, script=script_of(name), **more)

    def at_once(self, name, delivered, deadlines=ENDLESS, **more):
        """One try, and no wait: its deadline would not be over within this test's time."""
        self.script(name, delivered, (1, 1), deadlines=deadlines, **more)

    @waits(60)
    def test_refused(self):
        self.script("down", False, (4, 60), EARLY)

    @waits(60)
    def test_black_hole(self):
        self.script("blackhole", False, (4, 7), 45, within=("timed out",))

    @waits(60)
    def test_connects_are_dropped(self):
        self.script("unreachable", False, (4, 20), EARLY)

    @waits(60)
    def test_stalls_after_the_head(self):
        self.script("stalls_after_headers", False, (4, 7), 45, within=("timed out",))

    @waits(60)
    def test_stalls_in_the_body(self):
        self.script("stalls_mid_body", False, (4, 7), 45, within=("timed out",))

    @waits(60)
    def test_a_byte_a_second(self):
        self.script("drip", False, (4, 7), 45, within=("timed out",))

    @waits(60)
    def test_resets(self):
        self.script("resets", False, (4, 60), EARLY)

    @waits(60)
    def test_500_for_a_minute(self):
        self.script("500_for_a_minute", False, (4, 60), EARLY, within=("answered 500",))

    @waits(5)
    def test_500_three_times(self):
        self.script("500_then_ok", True, (4, 4))

    @waits(5)
    def test_retry_after_in_both_forms(self):
        self.script("429_retry_after", True, (3, 3), 1.9)

    def test_retry_after_that_is_absurd(self):
        """A day is no use, and it is spooled at once: no other try would come before the deadline."""
        self.at_once("429_absurd", False, LONG, within=("answered 429",))

    def test_301(self):
        self.at_once("redirect", False, within=("answered 301",))

    def test_401(self):
        self.at_once("unauthorized", False, within=("answered 401",))

    def test_403(self):
        self.at_once("denied", False, within=("answered 403",))

    def test_413(self):
        self.at_once("too_large", False, within=("answered 413",))

    def test_garbage_with_200(self):
        self.at_once("garbage", True)

    def test_not_http(self):
        self.at_once("not_http", False)

    @waits(3)
    def test_slow(self):
        self.script("slow", True, (1, 1), 2.9)

    @waits(30)
    def test_up_later(self):
        self.script("up_later", True, (3, 40), 19.9)

    def named(self, host, hosts=None, servers=""):
        """A machine that knows the endpoint by a name. Its /etc is full of links to this host's."""
        simulator = self.simulator()
        port = simulator.endpoint.rsplit(":", 1)[1]
        machine = self.machine(configuration(simulator, report={
            "to": {"scaler": {"url": f"http://{host}:{port}/v1/reports"}}}))
        for name, text in (("/etc/hosts", hosts), ("/etc/resolv.conf", servers)):
            if text is not None:
                if os.path.lexists(machine.path(name)):
                    os.unlink(machine.path(name))
                machine.write(name, text)
        return simulator, machine

    @waits(60)
    def test_no_such_name(self):
        server = NameServer(answers=True)
        self.addCleanup(server.close)
        simulator, machine = self.named("scaler.invalid", servers=f"nameserver {server.address}\n")
        self.row("DNS: no such name", simulator, machine, False, (4, 60), EARLY,
                 within=("scaler.invalid",))
        self.assertGreater(server.asked, 1)

    @waits(60)
    def test_names_hang(self):
        server = NameServer(answers=False)
        self.addCleanup(server.close)
        simulator, machine = self.named("scaler.invalid", servers=f"nameserver {server.address}\n")
        self.row("DNS: no answer", simulator, machine, False, (4, 20), EARLY)
        self.assertGreater(server.asked, 1)

    @unittest.skipUnless(os.path.exists("/proc/net/if_inet6"), "no IPv6 here")
    def test_ipv6_is_a_black_hole_and_ipv4_is_well(self):
        simulator, machine = self.named("scaler.test", hosts="::1 scaler.test\n127.0.0.1 scaler.test\n")
        hole = Simulator("endpoint_unreachable", options=(
            "--endpoint-bind", "::1", "--endpoint-port", simulator.endpoint.rsplit(":", 1)[1]))
        self.addCleanup(hole.close)
        # A connect has 3 s, and there is no other try.
        self.row("IPv6 a black hole, IPv4 well", simulator, machine, True, (1, 1))


if __name__ == "__main__":
    unittest.main()
