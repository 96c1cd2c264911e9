"""A function as a person types it, with the AWS CLI of this environment."""

import json
import os
import tempfile
import zipfile

from weir_check import HTTP, check, equal, row
from weir_cli import CLIENT, VERSION, aws

ACCOUNT = "200000000022"


def life(folder):
    def call(operation, *words, fails=False):
        return aws("--endpoint-url", HTTP, "lambda", operation, *words, fails=fails)

    archive, out = os.path.join(folder, "code.zip"), os.path.join(folder, "out")
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("main.py", "def handler(event, context):\n    return {'hello': event['name']}\n")
    call("create-function", "--function-name", "hello", "--runtime", "python3.12", "--handler", "main.handler", "--zip-file", f"fileb://{archive}",
         "--role", f"arn:aws:iam::{ACCOUNT}:role/functions", "--tags", "team=tolls")
    call("wait", "function-active-v2", "--function-name", "hello")
    answer = call("invoke", "--function-name", "hello", "--payload", '{"name": "weir"}', "--cli-binary-format", "raw-in-base64-out", out) \
        if cli_two() else call("invoke", "--function-name", "hello", "--payload", '{"name": "weir"}', out)
    equal((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
    with open(out, encoding="utf-8") as file:
        equal(json.load(file), {"hello": "weir"})
    equal(call("publish-version", "--function-name", "hello")["Version"], "1")
    equal(call("create-alias", "--function-name", "hello", "--name", "live", "--function-version", "1")["FunctionVersion"], "1")
    equal([f["FunctionName"] for f in call("list-functions")["Functions"]], ["hello"])
    equal(call("get-function", "--function-name", "hello")["Tags"], {"team": "tolls"})
    call("put-function-concurrency", "--function-name", "hello", "--reserved-concurrent-executions", "0")
    complaint = call("invoke", "--function-name", "hello", out, fails=True)
    equal("TooManyRequestsException" in complaint, True)
    call("delete-function", "--function-name", "hello")
    equal("ResourceNotFoundException" in call("get-function", "--function-name", "hello", fails=True), True)


def cli_two():
    """The CLI of version 2 reads payloads as base64 unless told."""
    return VERSION.startswith("2.")


os.environ["AWS_ACCESS_KEY_ID"] = ACCOUNT
os.environ["AWS_MAX_ATTEMPTS"] = "1"
with tempfile.TemporaryDirectory() as place:
    check("AWS CLI: a function", life, place)
row(CLIENT, VERSION, "a function from zip to answer, a version, an alias, a limit", "2 invocations", "1 answer, 1 throttled")
