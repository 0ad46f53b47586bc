#!/usr/bin/env python3
"""Records a drill at a real pseudo-terminal as an asciicast (version 2).

    python3 examples/record_drill.py SCRIPT CAST -- target/release/rootline drill start ID ...

Types the lines of SCRIPT one by one, each after the prompt has come, and writes to CAST what the
terminal showed and when. `asciinema play CAST` shows it again.
"""

import fcntl
import json
import os
import pty
import re
import select
import struct
import sys
import termios
import time

COLUMNS, ROWS = 100, 40
# A prompt ends so, e.g. `drill 1m30s 83p> `.
PROMPT = re.compile(rb"drill [^\n]*p> $")
KEY_S, THINK_S = 0.04, 0.8
# Longest wait for a prompt: a simulated drill runs its scenario first.
PATIENCE_S = 120


def main():
    script, cast, dashes, *command = sys.argv[1:]
    assert dashes == "--" and command, __doc__
    lines = [line.rstrip("\n") for line in open(script, encoding="utf-8") if line.strip()]
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS))
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    start, events, seen = time.monotonic(), [], b""

    def read(patience):
        """Takes what the program wrote; None at its end."""
        nonlocal seen
        if not select.select([terminal], [], [], patience)[0]:
            return False
        try:
            data = os.read(terminal, 65536)
        except OSError:
            return None
        if not data:
            return None
        seen += data
        events.append((time.monotonic() - start, data))
        return True

    def prompt():
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if PROMPT.search(seen):
                return True
            if read(1) is None:
                return False
        sys.exit("no prompt came")

    for line in lines:
        if not prompt():
            break
        seen = b""
        time.sleep(THINK_S)
        for key in line + "\n":
            os.write(terminal, key.encode())
            read(KEY_S)
    while read(5):
        pass
    os.waitpid(pid, 0)
    with open(cast, "w", encoding="utf-8") as out:
        title = " ".join(["rootline", *command[1:]])
        head = {"version": 2, "width": COLUMNS, "height": ROWS, "title": title}
        out.write(json.dumps(head) + "\n")
        left = b""
        for at, data in events:
            # A character may be cut between two reads.
            data = left + data
            try:
                text, left = data.decode(), b""
            except UnicodeDecodeError as cut:
                text, left = data[: cut.start].decode(), data[cut.start :]
            out.write(json.dumps([round(at, 3), "o", text], ensure_ascii=False) + "\n")


main()
