"""What every interop script needs: its surroundings, and the way it reports.

A script prints "ok NAME" or "not ok NAME: why" for each check, and never raises out of one.
"""

import os
import time
import traceback

HTTP = os.environ["WEIR_HTTP"]
HTTPS = os.environ["WEIR_HTTPS"]
CA = os.environ["WEIR_CA"]

failed = []  # names of checks that did

PATIENCE = 30.0  # seconds a check may wait for something that takes milliseconds


def check(name, body, *args):
    """Runs body(*args), prints how it went and says whether it went well."""
    try:
        body(*args)
    except Exception as error:  # whatever the SDK throws is this check's finding
        failed.append(name)
        where = traceback.extract_tb(error.__traceback__)[-1]
        print(f"not ok {name}: {type(error).__name__}: {error} ({where.name}:{where.lineno})".replace("\n", " "), flush=True)
    else:
        print(f"ok {name}", flush=True)
        return True
    return False


def row(client, version, what, sent, received, faults="none"):
    """Prints a line of docs/compatibility.md, if nothing was wrong so far in this script."""
    if not failed:
        print(f"= {client} | {version} | {what} | {sent} | {received} | {faults}", flush=True)


def equal(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def wait_until(what, condition):
    """Waits for condition() to be true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE} s for {what}")
        time.sleep(0.02)
