#!/bin/sh
# The same root as the tutorials make it: each program and what ldd says of it, copied. Usage: programs_ldd.sh DIRECTORY
set -eu

for name in bash cat cp grep id ip ls mount ps sed tar; do
	program=$(command -v "$name")
	for file in "$program" $(ldd "$program" | grep -o '/[^ ]*'); do
		mkdir -p "$1${file%/*}"
		cp -L "$file" "$1$file"
	done
done
