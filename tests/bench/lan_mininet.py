#!/usr/bin/python3
"""The same LAN with Mininet: hosts on one LinuxBridge. Prints "up", waits for the end of stdin, takes all down."""
import sys

from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo

net = Mininet(topo=SingleSwitchTopo(int(sys.argv[1])), switch=LinuxBridge, controller=None, ipBase="10.64.0.0/16")
net.start()
print("up", flush=True)
sys.stdin.read()
net.stop()
