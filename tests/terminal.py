#!/usr/bin/python3
"""Runs a command on a terminal and talks to it: terminal.py COMMAND [EXPECT SEND]...

Waits for each EXPECT in what the command prints after the last one (a minute at most), then types SEND, in
which \\n, \\t and \\xNN are as in Python; "signal TERM" is no text, but that signal. Prints all that the terminal
showed, and ends as the command does (128 + N for signal N).
"""
import os
import pty
import select
import signal
import sys
import time

PATIENCE = 60  # seconds


def read(fd, seconds):
    if not select.select([fd], [], [], seconds)[0]:
        return None
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""


def expect(fd, shown, start, wanted):
    deadline = time.monotonic() + PATIENCE
    while wanted not in shown[start:]:
        data = read(fd, max(0, deadline - time.monotonic()))
        if not data:
            sys.stdout.buffer.write(shown)
            sys.exit(f"\nterminal.py: {wanted!r} did not come")
        shown += data
    return shown, shown.index(wanted, start) + len(wanted)


def send(pid, fd, sent):
    if sent.startswith("signal "):
        os.kill(pid, getattr(signal, "SIG" + sent.removeprefix("signal ")))
    else:
        os.write(fd, sent.encode().decode("unicode_escape").encode("latin-1"))


def main(command, *talk):
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp("/bin/sh", ["sh", "-c", "exec " + command])
    shown, start = b"", 0
    for wanted, sent in zip(talk[::2], talk[1::2]):
        shown, start = expect(fd, shown, start, wanted.encode())
        send(pid, fd, sent)
    while data := read(fd, PATIENCE):
        shown += data
    sys.stdout.buffer.write(shown)
    sys.stdout.flush()
    os.close(fd)  # hangs up on a command that did not end
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.exit(code if code >= 0 else 128 - code)


main(*sys.argv[1:])
