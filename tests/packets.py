"""Sends packets from the machines of tests/nat_lab.lua and says what becomes of them.

A line of the input is "FROM PROTOCOL SOURCE > TARGET [mark=N]", several of them with ";" between: "out udp
10.9.0.2:4000 > 10.77.0.2:53". FROM is out, c, n or host (the namespace of this process); PROTOCOL udp, tcp (a SYN),
synack or icmp (an echo request, without ports). For a line one line is printed: what arrived at a machine, and what
the sockets of the host got (udp 5000 and 8080), in order. Before each line all connections are forgotten.

Nothing is waited for by the clock. All runs on one processor, whose queue is served in order; so what a packet leads
to has come before the answer to an ARP request that was sent after it, a few times over.
"""
import ctypes
import os
import select
import socket
import struct
import sys

CLONE_NEWNET = 0x40000000
ETH_IP, ETH_ARP, OUTGOING = 0x0800, 0x0806, 4
ROUNDS = 6
GATEWAYS = {"out": "10.9.0.1", "c": "10.77.0.1", "n": "10.77.0.1"}
PROTOCOLS = {"udp": 17, "tcp": 6, "synack": 6, "icmp": 1}
NAMES = {17: "udp", 6: "tcp", 1: "icmp"}
UNREACHABLE = 3

libc = ctypes.CDLL(None, use_errno=True)


def visit(namespace):
    with open(namespace) as f:
        if libc.setns(f.fileno(), CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), namespace)


def raw_socket():
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


class Machine:
    """A machine with one link, whose packets are seen."""

    def __init__(self, name):
        home = "/proc/self/ns/net"
        with open(home) as f:
            visit("/run/netns/" + name)
            self.name = name
            for sysctl in ("icmp_ratemask", "icmp_echo_ignore_all"):
                with open("/proc/sys/net/ipv4/" + sysctl, "w") as out:
                    out.write("0")
            self.raw = raw_socket()
            self.ip = self.listen(ETH_IP)
            self.arp = self.listen(ETH_ARP)
            self.mac = self.arp.getsockname()[4]
            self.address = {"out": "10.9.0.2", "c": "10.77.0.2", "n": "10.77.0.3"}[name]
            libc.setns(f.fileno(), CLONE_NEWNET)

    @staticmethod
    def listen(kind):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(kind))
        s.bind(("eth0", kind))
        s.setblocking(False)
        return s

    def flush_by_arp(self):
        """Asks the gateway for its address and waits for the answer."""
        request = struct.pack("!HHBBH6s4s6s4s", 1, ETH_IP, 6, 4, 1, self.mac, socket.inet_aton(self.address),
                              b"\0" * 6, socket.inet_aton(GATEWAYS[self.name]))
        while drain(self.arp):
            pass
        self.arp.sendto(request, ("eth0", ETH_ARP, 0, 0, b"\xff" * 6))
        while True:
            if not select.select([self.arp], [], [], 60)[0]:
                sys.exit(self.name + ": no answer to ARP")
            data, where = self.arp.recvfrom(200)
            if where[2] != OUTGOING and data[6:8] == b"\0\2":
                return


def drain(s):
    try:
        return s.recvfrom(2000)
    except BlockingIOError:
        return None


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def split(place):
    address, _, port = place.partition(":")
    return socket.inet_aton(address), int(port or 0)


def payload(protocol, source, sport, target, dport):
    number = PROTOCOLS[protocol]
    if protocol == "icmp":
        data = struct.pack("!BBHHH", 8, 0, 0, 77, 1)
        return data[:2] + struct.pack("!H", checksum(data)) + data[4:]
    if protocol == "udp":
        head, at = struct.pack("!HHHH", sport, dport, 9, 0) + b"?", 6
    else:
        flags = 2 if protocol == "tcp" else 0x12
        head, at = struct.pack("!HHIIBBHHH", sport, dport, 1, 1 if flags != 2 else 0, 5 << 4, flags, 1000, 0, 0), 16
    whole = source + target + struct.pack("!BBH", 0, number, len(head)) + head
    return head[:at] + struct.pack("!H", checksum(whole)) + head[at + 2:]


def send(raw, protocol, source_place, target_place, mark):
    (source, sport), (target, dport) = split(source_place), split(target_place)
    data = payload(protocol, source, sport, target, dport)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 1, 0, 64, PROTOCOLS[protocol], 0, source, target)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    try:
        raw.sendto(head + data, (socket.inet_ntoa(target), 0))
    except PermissionError:
        return "refused"
    return None


def shown(data):
    start = (data[0] & 15) * 4
    number, ends = data[9], [socket.inet_ntoa(data[i:i + 4]) for i in (12, 16)]
    rest = data[start:]
    if number == 1:
        inner = " (%s)" % shown(rest[8:]) if rest[0] == UNREACHABLE else ""
        return "icmp %d/%d %s > %s%s" % (rest[0], rest[1], *ends, inner)
    ports = struct.unpack("!HH", rest[:4])
    flags = " %02x" % rest[13] if number == 6 and len(rest) > 13 else ""
    return "%s%s %s:%d > %s:%d" % (NAMES[number], flags, ends[0], ports[0], ends[1], ports[1])


def forget_connections():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    with s:
        s.sendto(struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 5, 1, 0, 0, 0, 0), (0, 0))
        code = struct.unpack_from("=i", s.recv(4096), 16)[0]
        if code:
            sys.exit("conntrack cannot be flushed: " + os.strerror(-code))


def bound(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", port))
    s.setblocking(False)
    return s


def run(line, machines, host, sockets):
    seen = []
    for packet in filter(None, map(str.strip, line.split(";"))):
        sender, protocol, source, _, target, *rest = packet.split()
        mark = int(rest[0].partition("=")[2], 0) if rest else 0
        refused = send(host if sender == "host" else machines[sender].raw, protocol, source, target, mark)
        if refused:
            seen.append("host: " + refused)
        for _ in range(ROUNDS):
            for machine in machines.values():
                machine.flush_by_arp()
        for machine in machines.values():
            while True:
                got = drain(machine.ip)
                if not got:
                    break
                if got[1][2] != OUTGOING and got[0][9] in NAMES:  # a bridge says things of its own by IGMP
                    seen.append("%s: %s" % (machine.name, shown(got[0])))
        for port, s in sockets.items():
            while got := drain(s):
                seen.append("host %d: %s:%d" % (port, *got[1]))
    return ", ".join(seen)


def main():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with open("/proc/sys/net/ipv4/icmp_ratemask", "w") as out:
        out.write("0")
    host, sockets = raw_socket(), {port: bound(port) for port in (5000, 8080)}
    machines = {name: Machine(name) for name in GATEWAYS}
    for line in sys.stdin:
        forget_connections()
        print(run(line, machines, host, sockets), flush=True)


main()
