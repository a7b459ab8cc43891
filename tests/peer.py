"""Both ends of a connection for tests: a server says which address it sees, a client prints what it was told.

peer.py serve tcp:80 udp:53    prints "ready" when it listens, answers until it is killed
peer.py ask tcp 10.0.0.1 80    prints the answer, or the error's symbol
peer.py ask tcp 10.0.0.1 80 3  waits for 3 seconds instead of 60
"""
import errno
import os
import selectors
import socket
import sys

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
PATIENCE = 60  # seconds: a busy machine is slow


def plain(address):
    return address[0].removeprefix("::ffff:").encode()


def listen(kind, port):
    if os.path.exists("/proc/sys/net/ipv6"):
        s = socket.socket(socket.AF_INET6, KINDS[kind])
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    else:
        s = socket.socket(socket.AF_INET, KINDS[kind])
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", int(port)))
    if kind == "tcp":
        s.listen()
    return s


def answer(s):
    if s.type == socket.SOCK_STREAM:
        connection, address = s.accept()
        with connection:
            connection.sendall(plain(address))
    else:
        _, address = s.recvfrom(100)
        s.sendto(plain(address), address)


def serve(places):
    selector = selectors.DefaultSelector()
    for place in places:
        selector.register(listen(*place.split(":")), selectors.EVENT_READ)
    print("ready", flush=True)
    sys.stdout.close()
    while True:
        for key, _ in selector.select():
            answer(key.fileobj)


def ask(kind, address, port, patience=PATIENCE):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, KINDS[kind]) as s:
        s.settimeout(float(patience))
        try:
            s.connect((address, int(port)))
            if kind == "udp":
                s.send(b"?")
                return s.recv(100).decode()
            # to the end: the server is to be the first to close, and to keep the port for a while
            return b"".join(iter(lambda: s.recv(100), b"")).decode()
        except TimeoutError:
            return "no answer"
        except OSError as e:
            return errno.errorcode[e.errno]


if sys.argv[1] == "serve":
    serve(sys.argv[2:])
else:
    print(ask(*sys.argv[2:]))
