#!/usr/bin/python3
"""The same LAN with pyroute2. Prints "up", waits for the end of stdin, takes all down."""
import sys

from pyroute2 import IPRoute, NetNS, netns

count = int(sys.argv[1])
host = IPRoute()
host.link("add", ifname="lan", kind="bridge")
lan = host.link_lookup(ifname="lan")[0]
host.addr("add", index=lan, address="10.64.0.1", prefixlen=16)
host.link("set", index=lan, state="up")
for i in range(1, count + 1):
    name = f"node{i}"
    with NetNS(name) as node:
        host.link("add", ifname=name, kind="veth", peer={"ifname": "eth0", "net_ns_fd": name})
        host.link("set", index=host.link_lookup(ifname=name)[0], master=lan, state="up")
        eth0 = node.link_lookup(ifname="eth0")[0]
        node.link("set", index=1, state="up")
        node.link("set", index=eth0, state="up")
        node.addr("add", index=eth0, address=f"10.64.{(i + 1) >> 8}.{(i + 1) & 255}", prefixlen=16)
        node.route("add", dst="default", gateway="10.64.0.1")
print("up", flush=True)
sys.stdin.read()
for i in range(1, count + 1):
    netns.remove(f"node{i}")
host.link("del", index=lan)
