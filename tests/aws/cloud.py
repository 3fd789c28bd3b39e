"""AWS, as far as muster speaks to it, on loopback over TLS.

Every request's signature is verified by botocore's signer, every parameter by botocore's models
(wire.py), and then acted on (services.py). What goes wrong is a test's to say.
"""

import calendar
import json
import threading
import time
import urllib.parse

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import services
import wire
from answer import Answer, http_date
from services import Refused

TOLERANCE = 300  # seconds that a signature's time may be off
NAMES = {"autoscaling": services.AutoScaling, "cloudformation": services.CloudFormation,
         "ec2": services.Ec2, "sqs": services.Sqs, "events": services.EventBridge}


class Cloud:
    """The handler behind the socket (tests/simulator/http_server.py)."""

    server_name = "AmazonEC2"

    def __init__(self, domain="amazonaws.com"):
        self.domain = domain
        self.region = "eu-west-1"
        self.lock = threading.Lock()
        self.keys = {}        # access key -> (secret, token)
        self.expired = set()  # access keys
        self.unknown = {}     # access key -> so many times it is not known yet
        self.denied = set()   # "autoscaling:CompleteLifecycleAction"
        self.failing = {}     # permission -> [(code, status)] of the next requests
        self.skew = 0         # seconds that this clock is ahead of the machine's
        self.calls = []       # (permission, parameters), those that were taken
        self.refused = []     # (permission, code)
        self.faults = []      # what no right client does: must stay empty
        self.plain = 0        # requests without a signature, which only open the connection
        self.services = {name: kind() for name, kind in NAMES.items()}
        for name, service in self.services.items():
            setattr(self, name, service)

    def now(self):
        return time.time() + self.skew

    def done(self, *names):
        """Of the calls that were taken, those of these actions."""
        with self.lock:
            return [parameters for permission, parameters in self.calls
                    if permission.partition(":")[2] in names]

    def asked(self):
        with self.lock:
            return [permission for permission, _ in self.calls]

    # -- one request ------------------------------------------------------------

    def respond(self, request, changes=None):
        with self.lock:
            answer = self._respond(request)
        answer.headers["Date"] = http_date(self.now())
        return answer

    def _respond(self, request):
        if request.header("Authorization") is None:
            self.plain += 1
            return Answer(404, "<html>nothing here</html>", "text/html")
        service, permission = "ec2", "?"
        try:
            service, key = self._scope(request)
            permission = self._permission(service, request)
            self._verify(request, service, key)
            name, parameters = wire.read(service, request)
            self._obstacles(permission)
            result = getattr(self.services[service], name)(parameters)
        except wire.Invalid as invalid:
            self.faults.append(f"{permission}: {invalid}")
            return self._error(service, Refused("ValidationError", str(invalid)))
        except Refused as refused:
            self.refused.append((permission, refused.code))
            return self._error(service, refused)
        except Exception as error:  # a mistake of this program's, not to be taken for one of AWS
            self.faults.append(f"{permission}: {error!r}")
            raise
        self.calls.append((permission, parameters))
        return self._success(service, name, result)

    def _scope(self, request):
        try:
            words = request.header("Authorization").split(" ", 1)[1].split(", ")
            fields = dict(word.split("=", 1) for word in words)
            key, day, region, service, end = fields["Credential"].split("/")
            assert words[0].startswith("Credential=") and end == "aws4_request"
            assert region == self.region and service in NAMES
            assert day == request.header("X-Amz-Date")[:8]
        except (AssertionError, KeyError, ValueError, TypeError) as error:
            raise wire.Invalid(f"Authorization: {request.header('Authorization')}") from error
        return service, key

    @staticmethod
    def _permission(service, request):
        target = request.header("X-Amz-Target")
        if target:
            return f"{service}:{target.partition('.')[2]}"
        form = urllib.parse.parse_qs(request.body.decode())
        return f"{service}:{form.get('Action', ['?'])[0]}"

    def _verify(self, request, service, key):
        """The signature is made again, of what came, with the secret that we know."""
        if self.unknown.get(key, 0) > 0:
            self.unknown[key] -= 1
            raise Refused({"ec2": "AuthFailure", "events": "UnrecognizedClientException"}.get(
                service, "InvalidClientTokenId"), "The security token included in the request is "
                "invalid.", 403)
        if key not in self.keys:
            raise wire.Invalid("the access key is nobody's: " + key)
        secret, token = self.keys[key]
        if key in self.expired:
            raise Refused({"ec2": "RequestExpired", "events": "ExpiredTokenException"}.get(
                service, "ExpiredToken"), "The security token included in the request is expired",
                403)
        date = request.header("X-Amz-Date")
        off = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ")) - self.now()
        if abs(off) > TOLERANCE:
            raise Refused({"ec2": "RequestExpired", "events": "InvalidSignatureException"}.get(
                service, "SignatureDoesNotMatch"), f"Signature expired: {date} is now earlier than "
                "another (another - 5 min.)", 403)
        self._compare(request, service, Credentials(key, secret, token))

    def _compare(self, request, service, credentials):
        sent = request.header("Authorization")
        signed = sent.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        needed = {"host", "content-type", "x-amz-date", "x-amz-security-token"} | {
            name.lower() for name, _ in request.headers if name.lower().startswith("x-amz-")}
        if not needed <= set(signed):
            raise wire.Invalid(f"not all is signed: {signed}")
        if request.header("Host") != self._host(service):
            raise wire.Invalid(f"{service} is not at {request.header('Host')}")
        again = AWSRequest(method=request.method, url="https://" + request.header("Host") +
                           request.target, data=request.body)
        for name, value in request.headers:
            if name.lower() in signed and name.lower() != "host":
                again.headers.add_header(name, value)
        again.context["timestamp"] = request.header("X-Amz-Date")
        signer = botocore.auth.SigV4Auth(credentials, service, self.region)
        text = signer.string_to_sign(again, signer.canonical_request(again))
        if request.header("X-Amz-Security-Token") != credentials.token or not sent.endswith(
                "Signature=" + signer.signature(text, again)):
            raise wire.Invalid("the signature is not botocore's:\n" + text)

    def _host(self, service):
        return f"{service}.{self.region}.{self.domain}"

    def _obstacles(self, permission):
        if permission in self.denied:
            code = {"ec2": "UnauthorizedOperation", "events": "AccessDeniedException"}.get(
                permission.partition(":")[0], "AccessDenied")
            raise Refused(code, f"User: arn:aws:sts::123456789012:assumed-role/worker/i-1 is not "
                          f"authorized to perform: {permission}", 403)
        if self.failing.get(permission):
            code, status = self.failing[permission].pop(0)
            raise Refused(code, "as the test says", status)

    # -- answers ------------------------------------------------------------------

    @staticmethod
    def _success(service, name, result):
        if service == "events":
            return Answer(200, json.dumps(result), "application/x-amz-json-1.1")
        if service == "ec2":
            return Answer(200, f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}Response '
                          f'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>0'
                          f"</requestId>{services.elements(result)}</{name}Response>", "text/xml")
        return Answer(200, f"<{name}Response xmlns=\"http://{service}.amazonaws.com/doc/\">\n"
                      f"  <{name}Result>{services.elements(result)}</{name}Result>\n"
                      f"  <ResponseMetadata><RequestId>0</RequestId></ResponseMetadata>\n"
                      f"</{name}Response>\n", "text/xml")

    @staticmethod
    def _error(service, refused):
        error = {"Code": refused.code, "Message": refused.message}
        if service == "events":
            return Answer(refused.status, json.dumps({"__type": "com.amazon.coral#" + refused.code,
                                                      "message": refused.message}),
                          "application/x-amz-json-1.1")
        if service == "ec2":
            return Answer(refused.status, '<?xml version="1.0" encoding="UTF-8"?>\n<Response>'
                          f"<Errors><Error>{services.elements(error)}</Error></Errors>"
                          "<RequestID>0</RequestID></Response>", "text/xml")
        return Answer(refused.status, f'<ErrorResponse xmlns="http://{service}.amazonaws.com/doc/">'
                      f"\n  <Error>\n    <Type>Sender</Type>{services.elements(error)}\n  </Error>"
                      "\n  <RequestId>0</RequestId>\n</ErrorResponse>\n", "text/xml")
