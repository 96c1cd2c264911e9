"""Runs the AWS CLI of this environment, which knows nothing of the machine's own configuration."""

import json
import os
import pathlib
import subprocess
import sys

from weir_check import equal

AWS = os.environ.get("WEIR_AWS") or pathlib.Path(sys.executable).with_name("aws")
os.environ.update(AWS_SECRET_ACCESS_KEY="any", AWS_DEFAULT_REGION="us-east-1", AWS_DEFAULT_OUTPUT="json",
                  AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="", AWS_CONFIG_FILE=os.devnull,
                  AWS_SHARED_CREDENTIALS_FILE=os.devnull)


VERSION = subprocess.run([sys.executable, AWS, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout.split()[0].partition("/")[2]
CLIENT = "AWS CLI"


def aws(*words, fails=False):
    """Runs one command. Gives what it printed, as JSON where it is; the complaint when it should fail."""
    done = subprocess.run([sys.executable, AWS, *words], capture_output=True, text=True, timeout=60)
    if fails:
        equal(done.returncode != 0, True)
        return done.stderr
    if done.returncode != 0:
        raise AssertionError(f"aws {' '.join(words)}: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else None
