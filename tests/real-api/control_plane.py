"""A real control plane on loopback: etcd, API server, controllers, scheduler."""

import datetime
import ipaddress
import json
import os
import socket
import subprocess
import threading
import time

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

READY_WITHIN = 90


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Authority:
    """A certificate authority of one cluster, and what it signs, as PEM files in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.key = rsa.generate_private_key(65537, 2048)
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "real-api")])
        own = self._builder(self.name, self.key).add_extension(x509.BasicConstraints(True, None), True)
        self.certificate = own.sign(self.key, hashes.SHA256())
        self.path = self._write("ca.crt", self.certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject, key):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1)))

    def _write(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(content)
        return path

    def sign(self, name, common_name, organization=None):
        """A certificate for both ends of a connection; gives back its path and its key's."""
        key = rsa.generate_private_key(65537, 2048)
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if organization:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        certificate = (
            self._builder(x509.Name(parts), key).add_extension(loopback, False).add_extension(uses, False)
            .sign(self.key, hashes.SHA256()))
        return (
            self._write(f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM)),
            self.key_pair(name, key)[1])

    def key_pair(self, name, key=None):
        key = key or rsa.generate_private_key(65537, 2048)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption())
        return self._write(f"{name}.pub", public), self._write(f"{name}.key", private)


class Api:
    """What the script itself asks of the API, as its administrator."""

    def __init__(self, address, authority, client):
        self.address = address
        self.verify, self.client = authority, client
        self.local = threading.local()

    def call(self, method, path, body=None, kind="application/json", ok=(200, 201, 202)):
        # A session is for one thread.
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
            self.local.session.verify, self.local.session.cert = self.verify, self.client
            # Else a bundle that the environment names is taken in place of the cluster's.
            self.local.session.trust_env = False
        content = None if body is None else json.dumps(body)
        answer = self.local.session.request(
            method, self.address + path, data=content, headers={"Content-Type": kind}, timeout=20)
        if answer.status_code not in ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.json() if is_json else answer.text

    def get(self, path):
        return self.call("GET", path)

    def items(self, path):
        return self.get(path)["items"]

    def create(self, path, body):
        """Creates it, unless it is there."""
        return self.call("POST", path, body, ok=(200, 201, 202, 409))

    def merge(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json", ok=(200, 404))

    def delete(self, path, **options):
        return self.call("DELETE", path, options or None, ok=(200, 202, 404, 409))


class ControlPlane:
    """`tokens` are users beside the administrator, by the token that they show."""

    def __init__(self, programs, folder, tokens=None):
        self.programs, self.folder, self.children = programs, folder, {}
        self.authority = Authority(folder)
        self.server = self.authority.sign("server", "kube-apiserver")
        self.admin = self.authority.sign("admin", "admin", "system:masters")
        self.service_accounts = self.authority.key_pair("service-accounts")
        self.port, self.etcd_port, self.peer_port = free_port(), free_port(), free_port()
        self.address = f"https://127.0.0.1:{self.port}"
        self.api = Api(self.address, self.authority.path, self.admin)
        self.write_tokens(tokens or {})

    def path(self, name):
        return os.path.join(self.folder, name)

    def write_tokens(self, tokens):
        with open(self.path("tokens.csv"), "w") as file:
            for number, (token, user) in enumerate(tokens.items()):
                file.write(f"{token},{user},{number}\n")

    def start(self):
        peer = f"http://127.0.0.1:{self.peer_port}"
        self.etcd_address = f"http://127.0.0.1:{self.etcd_port}"
        self.spawn(
            "etcd", "--data-dir", self.path("etcd"), "--listen-client-urls", self.etcd_address,
            "--advertise-client-urls", self.etcd_address, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
            "--unsafe-no-fsync", "--logger=zap", "--log-level=error")
        self.start_server()
        kubeconfig = self.kubeconfig("controllers.json", "controllers")
        self.spawn(
            "kube-controller-manager", "--kubeconfig", kubeconfig, "--leader-elect=false", "--secure-port=0",
            "--service-account-private-key-file", self.service_accounts[1], "--root-ca-file", self.authority.path,
            "--node-monitor-grace-period=20s", "--node-monitor-period=2s")
        self.spawn("kube-scheduler", "--kubeconfig", kubeconfig, "--leader-elect=false", "--secure-port=0")

    def start_server(self):
        self.spawn(
            "kube-apiserver", "--etcd-servers", self.etcd_address, "--bind-address=127.0.0.1",
            f"--secure-port={self.port}", "--tls-cert-file", self.server[0], "--tls-private-key-file", self.server[1],
            "--client-ca-file", self.authority.path, "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file", self.service_accounts[0], "--service-account-signing-key-file",
            self.service_accounts[1], "--authorization-mode=Node,RBAC", "--token-auth-file", self.path("tokens.csv"),
            "--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none",
            "--disable-admission-plugins=ServiceAccount", "--cert-dir", self.path("certificates"))
        self.until_ready()

    def until_ready(self):
        end = time.monotonic() + READY_WITHIN
        while time.monotonic() < end:
            try:
                self.api.call("GET", "/readyz")
                return
            except (requests.RequestException, RuntimeError):
                time.sleep(0.3)
        raise RuntimeError(f"the API server is not ready; see {self.path('kube-apiserver.log')}")

    def restart_server(self, away, tokens=None):
        """Ends the API server, and starts it again some seconds later, perhaps with other tokens."""
        self.end("kube-apiserver")
        if tokens is not None:
            self.write_tokens(tokens)
        time.sleep(away)
        self.start_server()

    def spawn(self, program, *arguments):
        log = open(self.path(f"{program}.log"), "ab")
        self.children[program] = subprocess.Popen(
            [os.path.join(self.programs, program), *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            cwd=self.folder)

    def end(self, program):
        child = self.children.pop(program)
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def stop(self):
        for child in self.children.values():
            child.kill()
        for child in self.children.values():
            child.wait()
        self.children = {}

    def kubeconfig(self, name, context, token=None):
        """Writes a kubeconfig of the administrator, or of the user with this token."""
        user = {"token": token} if token else {"client-certificate": self.admin[0], "client-key": self.admin[1]}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": context,
            "clusters": [{"name": "real", "cluster": {
                "server": self.address, "certificate-authority": self.authority.path}}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": context, "context": {"cluster": "real", "user": "user"}}],
        }
        with open(self.path(name), "w") as file:
            json.dump(config, file)
        return self.path(name)

    def version(self):
        return self.api.get("/version")["gitVersion"]
