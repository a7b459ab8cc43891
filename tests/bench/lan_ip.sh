#!/bin/sh
# A LAN of N nodes as people write it by hand: one `ip` a line. Prints "up", waits for the end of stdin, takes all down.
set -eu
ip link add lan type bridge
ip address add 10.64.0.1/16 dev lan
ip link set lan up
for i in $(seq "$1"); do
	ip netns add "node$i"
	ip link add "node$i" type veth peer name eth0 netns "node$i"
	ip link set "node$i" master lan up
	ip -n "node$i" link set lo up
	ip -n "node$i" link set eth0 up
	ip -n "node$i" address add "10.64.$(((i + 1) / 256)).$(((i + 1) % 256))/16" dev eth0
	ip -n "node$i" route add default via 10.64.0.1
done
echo up
cat >/dev/null
for i in $(seq "$1"); do ip netns delete "node$i"; done
ip link delete lan
