"""A simulated AWS: moto's server, corrected where AWS behaves otherwise, and watched.

usage: sandbox.py [--port PORT] [--until-stdin-closes]

Prints its address as the first line and serves until terminated or, with
--until-stdin-closes, until whoever started it is gone. Each access key has an
account of its own, so that tests can share one sandbox; the key "test" has 123456789012.

Beside AWS' own calls it serves, for one access key (?key=KEY):

  GET     /_sandbox/calls    every call so far: service, operation, path, write, run (what the
                             caller has in AWS_EXECUTION_ENV), bucketOwner (whose the caller takes
                             the bucket to be), started, ended, status
  DELETE  /_sandbox/calls    forget them
  PUT     /_sandbox/rules    a JSON list of rules (see Rule), in place of those before
  GET     /_sandbox/held     how many calls a rule holds back at present
  PUT     /_sandbox/life     gives the account's instances a life: settings (see life.Life)
  POST    /_sandbox/life     lets time pass (&seconds=N); tells the time, instances and groups
"""

import argparse
import datetime
import email.utils
import hashlib
import io
import json
import logging
import os
import re
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, unquote

# moto reads it while it is imported.
os.environ["MOTO_AMIS_PATH"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "images.json")

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

import corrections
import life

DEFAULT_KEY = "test"
# The services that speak JSON.
IN_JSON = ("sqs", "events", "ssm")
READS = re.compile(r"^(Get|List|Describe|Head|Select)")


class Rule:
    """What is done to calls: `operation` (a regular expression) and `object` (a text in the
    call) choose them, `nth` the how manieth of those chosen (all, if absent).

    `delay` waits that many seconds, `error` answers with that code, and `hold` never answers:
    "before" carrying the call out, or "after". `lose` closes the connection without an answer,
    "before" or "after" carrying the call out, and with `late` an `error` comes after that.
    `strip` takes elements of that name out of the answer.
    """

    def __init__(self, spec):
        known = {"operation", "object", "nth", "delay", "error", "message", "status", "hold", "write",
                 "lose", "late", "strip"}
        unknown = set(spec) - known
        if unknown:
            raise ValueError(f"unknown in a rule: {sorted(unknown)}")
        self.spec = spec
        self.seen = 0

    def chooses(self, call, body):
        spec = self.spec
        if not re.search(spec.get("operation", ""), f"{call['service']}:{call['operation']}"):
            return False
        if "write" in spec and spec["write"] != call["write"]:
            return False
        if spec.get("object", "") not in body:
            return False
        self.seen += 1
        return spec.get("nth") in (None, self.seen)


class Watch:
    """The calls, rules and held requests of one access key."""

    def __init__(self):
        self.calls, self.rules, self.held = [], [], 0


class Sandbox:
    def __init__(self, aws):
        self.aws = aws
        self.watches = {}
        self.lock = threading.Lock()
        # What was answered to each client token, and to what; AWS forgets in time, this does not.
        self.tokens, self.tokens_lock = {}, threading.Lock()
        # AWS decides conditional writes one after the other; moto looks and writes apart.
        self.storage = threading.Lock()

    def watch(self, key):
        with self.lock:
            return self.watches.setdefault(key, Watch())

    def __call__(self, environ, respond):
        if environ["PATH_INFO"].startswith("/_sandbox/"):
            return self.administrate(environ, respond)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        key, service = signer(environ)
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = account_of(key)
        call = {"service": service, "operation": operation(environ, service, body)}
        call["write"] = not READS.match(call["operation"])
        call["path"], call["run"] = environ["PATH_INFO"], run(environ)
        call["bucketOwner"] = environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER", "")
        call["started"] = time.monotonic()
        watch = self.watch(key)
        text = unquote(body.decode("utf-8", "replace").replace("+", " ")) + environ["PATH_INFO"]
        with self.lock:
            watch.calls.append(call)
            chosen = [rule.spec for rule in watch.rules if rule.chooses(call, text)]
        answer = None
        for spec in chosen:
            time.sleep(spec.get("delay", 0))
            if spec.get("hold") == "before":
                self.hold(watch)
            if spec.get("lose") == "before":
                return self.lose(environ, call)
            if "error" in spec and not spec.get("late"):
                answer = failure(service, spec)
        if answer is None:
            answer = self.answer(environ, call, body, account_of(key))
        for spec in chosen:
            if spec.get("hold") == "after":
                self.hold(watch)
            if spec.get("lose") == "after":
                return self.lose(environ, call)
            if spec.get("late"):
                answer = failure(service, spec)
            if "strip" in spec:
                answer = stripped(answer, spec["strip"])
        status, headers, content = answer
        call["ended"], call["status"] = time.monotonic(), int(status.split()[0])
        headers = [pair for pair in headers if pair[0].lower() != "date"] + [("Date", date(key, service))]
        respond(status, headers)
        return [content]

    def answer(self, environ, call, body, account):
        service = call["service"]
        refusal = corrections.refuse(call, body, account)
        if refusal:
            status, headers, content = failure(service, refusal)
            # An answer to HEAD has no body.
            return status, headers, b"" if call["operation"].startswith("Head") else content
        token = corrections.token(call, body)
        if token is None:
            return self.carry_out(environ, service)
        with self.tokens_lock:
            known = self.tokens.get((account, call["operation"], token))
            asked = corrections.without_token(body)
            if known is None:
                answer = self.carry_out(environ, service)
                if answer[0].startswith("2"):
                    self.tokens[account, call["operation"], token] = (asked, answer)
                return answer
        if known[0] != asked:
            message = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s)."
            return failure(service, {"error": "IdempotentParameterMismatch", "message": message})
        return known[1]

    def lose(self, environ, call):
        """Lets the connection go, as if the answer was lost on its way."""
        call["ended"], call["status"] = time.monotonic(), 0
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError

    def hold(self, watch):
        with self.lock:
            watch.held += 1
        threading.Event().wait()

    def carry_out(self, environ, service):
        collected = {}

        def collect(status, headers, exc_info=None):
            collected["status"], collected["headers"] = status, headers

        if service == "s3":
            with self.storage:
                content = b"".join(self.aws(environ, collect))
        else:
            content = b"".join(self.aws(environ, collect))
        return collected["status"], collected["headers"], content

    def administrate(self, environ, respond):
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        key = query.get("key", DEFAULT_KEY)
        watch = self.watch(key)
        what = (environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/_sandbox/"))
        with self.lock:
            if what == ("GET", "calls"):
                result = watch.calls
            elif what == ("DELETE", "calls"):
                watch.calls, result = [], None
            elif what == ("PUT", "rules"):
                size = int(environ.get("CONTENT_LENGTH") or 0)
                watch.rules = [Rule(spec) for spec in json.loads(environ["wsgi.input"].read(size))]
                result = None
            elif what == ("GET", "held"):
                result = watch.held
            elif what == ("PUT", "life"):
                size = int(environ.get("CONTENT_LENGTH") or 0)
                result = life.give(account_of(key), json.loads(environ["wsgi.input"].read(size))).told()
            elif what == ("POST", "life"):
                own = life.lives[account_of(key)]
                own.advance(int(query.get("seconds", 0)))
                result = own.told()
            else:
                respond("404 Not Found", [("Content-Type", "text/plain")])
                return [b"no such thing in the sandbox\n"]
            content = json.dumps(result).encode()
        respond("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
        return [content]


class Undated(WSGIRequestHandler):
    """Leaves the date of an answer to the application, which knows whose time it is."""

    def send_response(self, code, message=None):
        self.log_request(code)
        self.send_response_only(code, message)
        self.send_header("Server", self.version_string())


def date(key, service):
    """The time of a key's account, as answers carry it. What S3 keeps has no part in its life."""
    own = None if service == "s3" else life.lives.get(account_of(key))
    now = own.time().replace(tzinfo=datetime.timezone.utc) if own else None
    return email.utils.format_datetime(now or datetime.datetime.now(datetime.timezone.utc), usegmt=True)


def signer(environ):
    """The access key and the service that a request is signed for."""
    match = re.search(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    return (match[1], match[2].lower()) if match else (DEFAULT_KEY, "unsigned")


def run(environ):
    match = re.search(r"exec-env/(\S+)", environ.get("HTTP_X_AMZ_USER_AGENT", ""))
    return match[1] if match else ""


def account_of(key):
    if key == DEFAULT_KEY:
        return "123456789012"
    return str(int(hashlib.sha256(key.encode()).hexdigest(), 16) % 900_000_000_000 + 100_000_000_000)


def operation(environ, service, body):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if service == "s3":
        is_object = path.strip("/").count("/") > 0
        if is_object:
            return {"GET": "GetObject", "HEAD": "HeadObject"}.get(method, method.title() + "Object")
        if method == "POST" and "delete" in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True):
            return "DeleteObjects"
        return {"GET": "ListBucket", "HEAD": "HeadBucket"}.get(method, method.title() + "Bucket")
    if service == "route53":
        parts = path.strip("/").split("/")[2:]
        if len(parts) < 2:
            what = ["ListHostedZones", "GetHostedZone"][len(parts)]
            return what if method == "GET" else "CreateHostedZone"
        if parts[1] == "associatevpc":
            return "AssociateVPCWithHostedZone"
        return {"GET": "ListResourceRecordSets"}.get(method, "ChangeResourceRecordSets")
    if "HTTP_X_AMZ_TARGET" in environ:
        return environ["HTTP_X_AMZ_TARGET"].split(".")[-1]
    return parse_qs(body.decode("utf-8", "replace")).get("Action", [f"{method} {path}"])[0]


def failure(service, spec):
    """An error in the form that AWS gives it for a service."""
    code, message = spec["error"], spec.get("message", "The sandbox was told to refuse this")
    status = spec.get("status", 403 if "Denied" in code else 400)
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    if service == "s3":
        content = f"<Error>{error}<RequestId>sandbox</RequestId></Error>"
    elif service == "ec2":
        content = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>sandbox</RequestID></Response>"
    elif service in IN_JSON:
        content = json.dumps({"__type": code, "message": message})
    else:
        error = f"<Type>Sender</Type>{error}"
        content = f"<ErrorResponse><Error>{error}</Error><RequestId>sandbox</RequestId></ErrorResponse>"
    content = content.encode()
    form = "application/x-amz-json-1.0" if service in IN_JSON else "text/xml"
    headers = [("Content-Type", form), ("Content-Length", str(len(content)))]
    return f"{status} Refused", headers, content


def stripped(answer, element):
    """An answer without the elements of a name."""
    status, headers, content = answer
    content = re.sub(rf"<{element}>.*?</{element}>|<{element} ?/>", "", content.decode(), flags=re.S).encode()
    headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
    return status, [*headers, ("Content-Length", str(len(content)))], content


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--port", type=int, default=0, help="a free one, if absent")
    parser.add_argument("--until-stdin-closes", action="store_true")
    args = parser.parse_args()

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    corrections.correct()
    life.correct()
    aws = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", args.port, Sandbox(aws), threaded=True, request_handler=Undated)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    if args.until_stdin_closes:
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
