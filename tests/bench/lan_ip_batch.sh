#!/bin/sh
# The same LAN with `ip -batch`: once for the host, once for each node, whose namespace is the process's.
set -eu

host() {
	echo "link add lan type bridge"
	echo "address add 10.64.0.1/16 dev lan"
	echo "link set lan up"
	for i in $(seq "$1"); do
		echo "netns add node$i"
		echo "link add node$i master lan up type veth peer name eth0 netns node$i"
	done
}

node() {
	echo "link set lo up"
	echo "link set eth0 up"
	echo "address add 10.64.$((($1 + 1) / 256)).$((($1 + 1) % 256))/16 dev eth0"
	echo "route add default via 10.64.0.1"
}

down() {
	for i in $(seq "$1"); do echo "netns delete node$i"; done
	echo "link delete lan"
}

host "$1" | ip -batch -
for i in $(seq "$1"); do node "$i" | ip -n "node$i" -batch -; done
echo up
cat >/dev/null
down "$1" | ip -batch -
