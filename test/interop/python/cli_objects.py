"""Buckets and objects with the AWS CLI: aws s3 (cp, sync, ls, mv, rm, presign) and aws s3api."""

import os
import pathlib
import subprocess
import sys
import tempfile

from weir_check import HTTP, check, equal, row
from weir_cli import AWS, CLIENT, VERSION, aws

os.environ["AWS_ACCESS_KEY_ID"] = "200000000022"


def s3(*words):
    """Runs one aws s3 command and gives what it printed."""
    done = subprocess.run([sys.executable, AWS, "--endpoint-url", HTTP, "s3", *words], capture_output=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"aws s3 {' '.join(words)}: {done.stderr.decode().strip()}")
    return done.stdout.decode()


def api(*words, fails=False):
    return aws("--endpoint-url", HTTP, "s3api", *words, fails=fails)


def copies():
    with tempfile.TemporaryDirectory() as name:
        here = pathlib.Path(name)
        tree = here / "tree"
        for path, size in {"a.txt": 10, "dir/b c.bin": 3000, "dir/deep/\u00e9.bin": 0, "large.bin": 20 << 20}.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(os.urandom(size))
        s3("mb", "s3://cli-bucket")
        s3("sync", str(tree), "s3://cli-bucket/t/")
        listed = s3("ls", "--recursive", "s3://cli-bucket")
        equal([line.split(None, 3)[3] for line in listed.splitlines()], ["t/a.txt", "t/dir/b c.bin", "t/dir/deep/\u00e9.bin", "t/large.bin"])
        equal("PRE dir/" in s3("ls", "s3://cli-bucket/t/"), True)
        s3("sync", "s3://cli-bucket/t/", str(here / "back"))
        for path in ["a.txt", "dir/b c.bin", "dir/deep/\u00e9.bin", "large.bin"]:
            equal((here / "back" / path).read_bytes() == (tree / path).read_bytes(), True)
        equal(s3("sync", str(tree), "s3://cli-bucket/t/"), "")  # nothing is newer
        s3("cp", "s3://cli-bucket/t/large.bin", "s3://cli-bucket/copy.bin")
        s3("mv", "s3://cli-bucket/copy.bin", "s3://cli-bucket/moved.bin")
        equal(s3("presign", "s3://cli-bucket/t/a.txt").startswith(HTTP + "/cli-bucket/t/a.txt?"), True)
        s3("rm", "--recursive", "s3://cli-bucket")
        s3("rb", "s3://cli-bucket")


def calls():
    api("create-bucket", "--bucket", "api-bucket")
    with tempfile.NamedTemporaryFile() as body:
        body.write(b"hello")
        body.flush()
        put = api("put-object", "--bucket", "api-bucket", "--key", "k", "--body", body.name, "--metadata", "a=b", "--checksum-algorithm", "SHA256")
        equal("ChecksumSHA256" in put, True)
        equal("PreconditionFailed" in api("put-object", "--bucket", "api-bucket", "--key", "k", "--body", body.name, "--if-none-match", "*", fails=True), True)
    head = api("head-object", "--bucket", "api-bucket", "--key", "k")
    equal((head["ContentLength"], head["Metadata"]), (5, {"a": "b"}))
    with tempfile.NamedTemporaryFile() as back:
        api("get-object", "--bucket", "api-bucket", "--key", "k", back.name)
        equal(pathlib.Path(back.name).read_bytes(), b"hello")
    api("put-object-tagging", "--bucket", "api-bucket", "--key", "k", "--tagging", "TagSet=[{Key=x,Value=y}]")
    equal(api("get-object-tagging", "--bucket", "api-bucket", "--key", "k")["TagSet"], [{"Key": "x", "Value": "y"}])
    api("put-bucket-lifecycle-configuration", "--bucket", "api-bucket", "--lifecycle-configuration",
        '{"Rules":[{"ID":"r","Status":"Enabled","Filter":{"Prefix":"tmp/"},"Expiration":{"Days":3}}]}')
    equal(api("get-bucket-lifecycle-configuration", "--bucket", "api-bucket")["Rules"][0]["Expiration"], {"Days": 3})
    equal(len(api("list-objects-v2", "--bucket", "api-bucket")["Contents"]), 1)
    equal(api("get-bucket-versioning", "--bucket", "api-bucket"), None)
    equal("NotImplemented" in api("put-bucket-versioning", "--bucket", "api-bucket", "--versioning-configuration", "Status=Enabled", fails=True), True)
    api("delete-object", "--bucket", "api-bucket", "--key", "k")
    api("delete-bucket", "--bucket", "api-bucket")


check("aws s3", copies)
check("aws s3api", calls)
row(CLIENT, VERSION, "aws s3 cp, sync, ls, mv, rm and presign; s3api", "5 objects", "5 objects")
