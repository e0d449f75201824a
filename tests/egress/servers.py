"""Servers that do what a receiver must not: raw sockets, so that every byte is ours; and a name server that lies."""

import datetime as dt
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


@dataclass
class Raw:
    """Where it listens, how many connections it took, and what came over all of them."""

    port: int
    accepted: int = 0
    received: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


Behave = Callable[[socket.socket, bytes, threading.Event], object]
"""What to do with one request on a connection: the bytes of its head and body, and when to stop."""


Wrap = Callable[[socket.socket], socket.socket]


@contextmanager
def raw(behave: Behave, address: str = "127.0.0.1", *, wrap: Wrap | None = None) -> Iterator[Raw]:
    """Serve every connection in a thread of its own, request by request, until the connection or the test ends."""
    ended = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server((address, 0)) as listener:
        listener.settimeout(0.02)
        served = Raw(listener.getsockname()[1])

        def speak(accepted: socket.socket) -> None:
            try:
                connection = accepted if wrap is None else wrap(accepted)
            except OSError:
                accepted.close()
                return
            with connection:
                connection.settimeout(0.05)
                while not ended.is_set():
                    try:
                        request = _request(connection, ended)
                        if not request:
                            return
                        served.received.append(request)
                        behave(connection, request, ended)
                    except OSError:
                        return

        def accept() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                served.accepted += 1
                threads.append(threading.Thread(target=speak, args=(connection,)))
                threads[-1].start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield served
        finally:
            ended.set()
            acceptor.join()
            for thread in threads:
                thread.join()


def _request(connection: socket.socket, ended: threading.Event) -> bytes:
    read = b""
    while not ended.is_set():
        head, mark, body = read.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        if mark and len(body) >= length:
            return read
        try:
            more = connection.recv(65536)
        except TimeoutError:
            continue
        if not more:
            return b""
        read += more
    return b""


def certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """A certificate for these names or addresses that vouches for itself, and its key: two files (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return public, private


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def secure(public: Path, private: Path, asked: list[str | None] | None = None) -> Wrap:
    """TLS with that certificate; `asked` gets the server names of the handshakes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    if asked is not None:
        context.sni_callback = lambda _socket, name, _context: asked.append(name)

    def wrap(accepted: socket.socket) -> socket.socket:
        accepted.settimeout(5)
        return context.wrap_socket(accepted, server_side=True)

    return wrap


def saying(answer: bytes) -> Behave:
    """Always the same bytes."""
    return lambda connection, _request, _ended: connection.sendall(answer)


def dripping(first: bytes, drop: bytes = b"x") -> Behave:
    """`first` at once, then `drop` every 50 ms for ever: no single wait is long."""

    def behave(connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
        connection.sendall(first)
        while not ended.wait(0.05):
            connection.sendall(drop)

    return behave


def pouring(first: bytes, more: bytes, times: int, poured: list[int]) -> Behave:
    """`first`, then `more` up to `times` times, as fast as it is taken; `poured` counts what was."""

    def behave(connection: socket.socket, _request: bytes, ended: threading.Event) -> None:
        connection.settimeout(2)
        connection.sendall(first)
        for _ in range(times):
            if ended.is_set():
                return
            connection.sendall(more)
            poured.append(len(more))

    return behave


@dataclass
class Names:
    """A name server on loopback: `answers[name]` are the sets of addresses it gives, one after another, then the last.

    A name that is not there does not exist; one with None is never answered.
    """

    port: int
    answers: dict[str, list[Sequence[str]] | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def names() -> Iterator[Names]:
    """A real name server over UDP (RFC 1035 §4), with a time to live of nothing in each answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.02)
        found = Names(server.getsockname()[1])
        ended = threading.Event()
        rounds: dict[str, tuple[Sequence[str], set[int]]] = {}

        def answer() -> None:
            while not ended.is_set():
                try:
                    packet, client = server.recvfrom(4096)
                except TimeoutError:
                    continue
                name, kind, question = _question(packet)
                found.asked.append(name)
                sets = found.answers.get(name, [])
                if sets is None:
                    continue
                # The questions for A and AAAA of one lookup get the same set; who asks again gets the next.
                current, seen = rounds.get(name, ((), {kind}))
                if kind in seen:
                    current = sets.pop(0) if len(sets) > 1 else (sets[0] if sets else ())
                    seen = set()
                rounds[name] = (current, seen | {kind})
                exists = name in found.answers
                server.sendto(_reply(packet, question, kind, current, exists=exists), client)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield found
        finally:
            ended.set()
            thread.join()


def _question(packet: bytes) -> tuple[str, int, bytes]:
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    (kind,) = struct.unpack_from(">H", packet, at + 1)
    return ".".join(labels).lower(), kind, packet[12 : at + 5]


def _reply(packet: bytes, question: bytes, kind: int, addresses: Sequence[str], *, exists: bool) -> bytes:
    version = {1: 4, 28: 6}.get(kind)
    wanted = [ip_address(each).packed for each in addresses if ip_address(each).version == version]
    flags = 0x8180 if exists else 0x8183
    head = packet[:2] + struct.pack(">HHHHH", flags, 1, len(wanted), 0, 0)
    return (
        head + question + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(a)) + a for a in wanted)
    )
