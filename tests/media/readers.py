"""Readers that go wrong, for a process that must survive them; no heavy imports, which would count as reading."""

import os
import signal
import time


def hang(path):
    while True:
        time.sleep(1)


def die(path):
    os.kill(os.getpid(), signal.SIGSEGV)


def eat(path):
    return len(bytearray(64 << 30))


def fail(path):
    raise ValueError("a fault of ours")


def which(path):
    return os.getpid()
