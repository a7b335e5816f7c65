"""The sandbox behind TLS, with a certificate of an authority that nobody knows.

    tls.py ADDRESS FOLDER

Writes the authority's certificate to FOLDER/ca.pem, prints the address, and forwards what comes
until stdin closes.
"""

import datetime
import ipaddress
import pathlib
import socket
import ssl
import sys
import threading
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(name, key, issuer, issuer_key, *extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def context(folder):
    key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = certificate(
        "Sandbox CA", key, "Sandbox CA", key, x509.BasicConstraints(ca=True, path_length=None)
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    own = certificate("sandbox", own_key, "Sandbox CA", key, x509.SubjectAlternativeName(names))
    (folder / "ca.pem").write_bytes(pem(authority))
    private = own_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = folder / "server.pem"
    chain.write_bytes(private + pem(own))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain)
    return server


def forward(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(connection, server, address):
    try:
        inside = server.wrap_socket(connection, server_side=True)
    except OSError:
        return
    outside = socket.create_connection(address)
    threading.Thread(target=forward, args=(outside, inside), daemon=True).start()
    forward(inside, outside)


def accept(listener, server, address):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, server, address), daemon=True).start()


def main():
    sandbox, folder = urlsplit(sys.argv[1]), pathlib.Path(sys.argv[2])
    server = context(folder)
    listener = socket.create_server(("127.0.0.1", 0))
    address = (sandbox.hostname, sandbox.port)
    threading.Thread(target=accept, args=(listener, server, address), daemon=True).start()
    print(f"https://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    sys.stdin.read()


main()
