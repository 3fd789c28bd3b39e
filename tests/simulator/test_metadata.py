"""The metadata service of the simulator: right, and by the rules of a script."""

import json

from client import MAPPING, TOKEN, TTL, WithSimulator, connect, exchange, receive, send, wait_for
from connection import Request
from rules import Rules


class MetadataIsRight(WithSimulator):
    """The service as AWS documents it."""

    arguments = ("--script", "whole_tree")

    def test_token_echoes_its_ttl(self):
        reply = self.put_token("21600")
        self.assertEqual((reply.status, reply.headers[TTL]), (200, "21600"))

    def test_token_needs_a_ttl_in_range(self):
        for ttl in (None, "", "0", "21601", "-1", "x", "1.5"):
            self.assertEqual(self.put_token(ttl).status, 400, ttl)

    def test_token_not_through_a_proxy(self):
        self.assertEqual(self.put_token("60", X_Forwarded_For="10.0.0.1").status, 403)

    def test_token_only_below_latest(self):
        reply = exchange(self.metadata, "PUT", "/2021-07-15/api/token", {TTL: "60"})
        self.assertEqual(reply.status, 403)

    def test_tokens_really_end(self):
        for lifetime in (3600, 0.1):
            self.simulator.swap({"options": {"token_lifetime": lifetime}})
            self.token = self.put_token("600").text
            if lifetime > 1:
                self.assertEqual(self.get("/latest/meta-data/instance-id").status, 200)
        wait_for(lambda: self.get("/latest/meta-data/instance-id").status == 401)

    def test_no_token_is_401_unless_v1_is_allowed(self):
        path = "/latest/meta-data/instance-id"
        self.assertEqual(exchange(self.metadata, "GET", path).status, 401)
        self.simulator.swap({"options": {"imdsv1": True}})
        self.assertEqual(exchange(self.metadata, "GET", path).status, 200)
        self.assertEqual(exchange(self.metadata, "GET", path, {TOKEN: "not-ours"}).status, 401)

    def test_other_methods_are_405(self):
        self.assertEqual(self.get("/latest/meta-data/instance-id", "POST").status, 405)

    def test_head_has_the_length_and_no_body(self):
        reply = self.get("/latest/meta-data/instance-id", "HEAD")
        self.assertEqual((reply.headers["Content-Length"], reply.body), ("19", b""))

    def test_listing_ends_without_newline(self):
        self.assertEqual(self.get(MAPPING).body,
                         b"ami\nebs1\nephemeral0\nephemeral1\nephemeral2\nephemeral3\nroot")
        self.assertEqual(self.get(MAPPING.rstrip("/")).body, self.get(MAPPING).body)
        self.assertIn("placement/", self.get("/latest/meta-data/").text.split("\n"))

    def test_every_version_has_the_tree(self):
        for version in ("latest", "2021-07-15", "1.0"):
            path = "/%s/meta-data/block-device-mapping/ephemeral3" % version
            self.assertEqual(self.get(path).text, "sde")
        self.assertEqual(self.get("/1999-01-01/meta-data/instance-id").status, 404)

    def test_absent_is_404_with_the_xhtml_page(self):
        reply = self.get("/latest/meta-data/no-such-key")
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (404, "text/html"))
        self.assertIn("<h1>404 - Not Found</h1>", reply.text)

    def test_the_whole_tree(self):
        expected = {
            "instance-type": "m1.xlarge", "instance-life-cycle": "spot",
            "ami-id": "ami-0abcdef1234567890", "placement/region": "eu-west-1",
            "placement/availability-zone": "eu-west-1b",
            "placement/availability-zone-id": "euw1-az2",
            "services/domain": "amazonaws.com", "services/partition": "aws",
            "autoscaling/target-lifecycle-state": "InService",
            "tags/instance/": "Name\naws:autoscaling:groupName\nmuster:hold",
            "tags/instance/aws:autoscaling:groupName": "workers", "tags/instance/muster:hold": "",
            "iam/security-credentials/": "worker"}
        for path, value in expected.items():
            self.assertEqual(self.get("/latest/meta-data/" + path).text, value, path)
        self.assertEqual(self.get("/latest/user-data").text, "#cloud-config\nhostname: worker\n")
        for path in ("spot/instance-action", "events/maintenance/scheduled",
                     "iam/security-credentials/worker"):
            self.assertTrue(json.loads(self.get("/latest/meta-data/" + path).text), path)

    def test_times_are_made_when_asked(self):
        role = json.loads(self.get("/latest/meta-data/iam/security-credentials/worker").text)
        self.assertRegex(role["Expiration"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_identity_document_is_that_of_the_tree(self):
        text = self.get("/latest/dynamic/instance-identity/document").text
        document = json.loads(text)
        self.assertEqual(document["instanceId"], self.get("/latest/meta-data/instance-id").text)
        self.assertEqual(list(document), [
            "accountId", "architecture", "availabilityZone", "billingProducts",
            "devpayProductCodes", "marketplaceProductCodes", "imageId", "instanceId",
            "instanceType", "kernelId", "pendingTime", "privateIp", "ramdiskId", "region",
            "version"])
        self.assertTrue(text.startswith('{\n  "accountId" : "123456789012",\n'), text)
        for name in ("signature", "pkcs7", "rsa2048"):
            self.assertEqual(self.get("/latest/dynamic/instance-identity/" + name).status, 200)

    def test_a_connection_is_kept(self):
        before = self.simulator.state()["metadata"]["connections"]
        with connect(self.metadata) as connection:
            for _ in range(3):
                send(connection, "GET", "/latest/meta-data/instance-id", {TOKEN: self.token})
                self.assertEqual(receive(connection).status, 200)
        self.assertEqual(self.simulator.state()["metadata"]["connections"], before + 1)

    def test_not_http_is_400(self):
        with connect(self.metadata) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            self.assertEqual(receive(connection).status, 400)


class Spans(WithSimulator):
    """Which requests a rule is for."""

    def ids(self, count):
        return [self.get("/latest/meta-data/instance-id").status for _ in range(count)]

    def test_times_and_skip(self):
        self.rules({"path": "meta-data/*", "skip": 1, "times": 2, "status": 503})
        self.assertEqual(self.ids(4), [200, 503, 503, 200])

    def test_first_rule_that_applies_wins(self):
        self.rules({"times": 1, "status": 500}, {"times": 1, "status": 503})
        self.assertEqual(self.ids(3), [500, 503, 200])

    def test_sequence_empty_again_after_being_right(self):
        self.rules({"path": "meta-data/block-device-mapping/", "sequence": [
            {"empty": True, "times": 2}, "right", {"empty": True}, "right"]})
        lengths = [len(self.get(MAPPING).body) > 0 for _ in range(6)]
        self.assertEqual(lengths, [False, False, True, False, True, True])

    def test_sequence_is_kept_for_each_path(self):
        self.rules({"path": "meta-data/*", "sequence": [{"status": 503}]})
        self.assertEqual([self.get("/latest/meta-data/" + name).status
                          for name in ("ami-id", "hostname", "ami-id")], [503, 503, 200])

    def test_each_path_can_be_said(self):
        self.rules({"path": "meta-data/*", "each_path": False, "sequence": [{"status": 503}]})
        self.assertEqual([self.get("/latest/meta-data/" + name).status
                          for name in ("ami-id", "hostname")], [503, 200])

    def test_repeat(self):
        self.rules({"sequence": [{"status": 503}, "right"], "repeat": True})
        self.assertEqual(self.ids(4), [503, 200, 503, 200])

    @staticmethod
    def at(times, **rule):
        """What such a rule makes of a request at each of these times."""
        rules = Rules("metadata", [rule])
        actions = []
        for now in times:
            rules.age = lambda: now
            actions.append(rules.consult(Request("GET", "/latest/meta-data/ami-id", "HTTP/1.1", [], None))[0])
        return [action.get("status") for action in actions]

    def test_window_from_the_start(self):
        self.assertEqual(self.at((0.1, 0.35, 0.65), **{"from": 0.3, "until": 0.6, "status": 503}), [None, 503, None])
        self.rules({"from": 0.2, "status": 503})
        wait_for(lambda: self.ids(1) == [503])
        self.rules({"until": 0.2, "status": 503})
        wait_for(lambda: self.ids(1) == [200])

    def test_window_from_the_first_request(self):
        self.assertEqual(self.at((5.0, 5.1, 5.25), since="first", until=0.2, status=404), [404, 404, None])
        self.rules({"since": "first", "until": 0.2, "status": 404})
        self.assertEqual(self.ids(1), [404])
        wait_for(lambda: self.ids(1) == [200])

    def test_probability_is_the_same_for_a_seed(self):
        runs = []
        for _ in range(2):
            self.rules({"probability": 0.4, "seed": 7, "status": 503})
            runs.append(self.ids(30))
        self.assertEqual(runs[0], runs[1])
        self.assertTrue(4 < runs[0].count(503) < 22, runs[0])

    def test_match_by_method_and_glob_and_full_path(self):
        self.rules({"method": "PUT", "status": 403}, {"path": "/1.0/*", "status": 500},
                   {"path": ["dynamic/*", "meta-data/placement/*"], "status": 503})
        self.assertEqual(self.put_token("60").status, 403)
        self.assertEqual(self.get("/1.0/meta-data/ami-id").status, 500)
        self.assertEqual(self.get("/latest/meta-data/ami-id").status, 200)
        self.assertEqual(self.get("/latest/meta-data/placement/region").status, 503)

    def test_match_by_what_a_body_contains(self):
        self.simulator.swap({"endpoint": [{"contains": "Action=Complete", "status": 400}]})
        statuses = [exchange(self.endpoint, "POST", "/", body=body).status
                    for body in ("Action=Complete&x=1", "Action=Record")]
        self.assertEqual(statuses, [400, 200])
