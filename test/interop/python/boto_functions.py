"""Functions in Go, Node and Python, from zip to their answers, with boto3."""

import base64
import io
import json
import os
import zipfile

import boto3
from botocore.exceptions import ClientError

from weir_check import CA, HTTP, HTTPS, check, equal, row, wait_until

ACCOUNT = "200000000021"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/functions"

PYTHON = """
import os
import helper

def handler(event, context):
    print("got", event.get("say"))
    if event.get("fail"):
        raise ValueError("as told")
    assert context.get_remaining_time_in_millis() > 0
    return {"said": helper.same(event.get("say")), "id": context.aws_request_id, "env": os.environ["LANES"], "region": os.environ["AWS_REGION"],
            "endpoint": os.environ["AWS_ENDPOINT_URL"], "key": os.environ["AWS_ACCESS_KEY_ID"]}
"""

NODE_MODULE = """
import { same } from './lib/helper.mjs';
export const handler = async (event, context) => {
  console.log('got', event.say);
  if (event.fail) throw new TypeError('as told');
  return { said: same(event.say), id: context.awsRequestId, env: process.env.LANES, region: process.env.AWS_REGION,
           endpoint: process.env.AWS_ENDPOINT_URL, key: process.env.AWS_ACCESS_KEY_ID };
};
"""

NODE_COMMON = """
const os = require('os');
exports.handler = (event, context, callback) => {
  console.log('got', event.say);
  if (event.fail) return callback(new TypeError('as told'));
  callback(null, { said: event.say, id: context.awsRequestId, env: process.env.LANES, region: process.env.AWS_REGION,
                   endpoint: process.env.AWS_ENDPOINT_URL, key: process.env.AWS_ACCESS_KEY_ID });
};
"""


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def client(endpoint=HTTP, verify=None):
    return boto3.client("lambda", endpoint_url=endpoint, verify=verify, region_name="us-east-1", aws_access_key_id=ACCOUNT, aws_secret_access_key="any")


def runtime(name, runtime, handler, files, error_type):
    aws = client()
    made = aws.create_function(FunctionName=name, Role=ROLE, Runtime=runtime, Handler=handler, Code={"ZipFile": zipped(files)}, Timeout=20, MemorySize=512,
                               Environment={"Variables": {"LANES": "4"}}, Publish=True)
    equal((made["Version"], made["CodeSize"] > 0), ("1", True))
    aws.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    for say in ["hello", "again"]:
        answer = aws.invoke(FunctionName=name, Payload=json.dumps({"say": say}), LogType="Tail")
        got = json.loads(answer["Payload"].read())
        equal((got["said"], got["env"], got["region"], got["endpoint"], got["key"]), (say, "4", "us-east-1", HTTP, ACCOUNT))
        log = base64.b64decode(answer["LogResult"]).decode()
        equal(("got " + say in log, "START RequestId: " + got["id"] in log, "REPORT RequestId: " + got["id"] in log), (True, True, True))
        equal(("FunctionError" in answer, answer["ExecutedVersion"]), (False, "$LATEST"))
    failed = aws.invoke(FunctionName=name, Qualifier="1", Payload=json.dumps({"say": "x", "fail": True}))
    error = json.loads(failed["Payload"].read())
    equal((failed["FunctionError"], failed["ExecutedVersion"], error["errorMessage"], error["errorType"]), ("Unhandled", "1", "as told", error_type))
    equal(aws.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")["StatusCode"], 202)
    aws.update_function_configuration(FunctionName=name, Environment={"Variables": {"LANES": "6"}})
    aws.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    equal(json.loads(aws.invoke(FunctionName=name, Payload=b"{}")["Payload"].read())["env"], "6")
    aws.delete_function(FunctionName=name)
    try:
        aws.get_function(FunctionName=name)
        raise AssertionError("it is still there")
    except aws.exceptions.ResourceNotFoundException as error:
        equal("Function not found: arn:aws:lambda:us-east-1:" in str(error), True)


def broken():
    """What is wrong with a function is said in its runtime's words."""
    aws = client()
    for name, language, handler, files, kind in [
        ("no-module", "python3.12", "main.handler", {"other.py": "x = 1"}, "ModuleNotFoundError"),
        ("no-file", "nodejs22.x", "index.handler", {"other.js": ""}, "Runtime.ImportModuleError"),
        ("no-export", "nodejs22.x", "index.handler", {"index.js": "exports.other = 1"}, "Runtime.HandlerNotFound"),
    ]:
        aws.create_function(FunctionName=name, Role=ROLE, Runtime=language, Handler=handler, Code={"ZipFile": zipped(files)}, Timeout=20)
        answer = aws.invoke(FunctionName=name, Payload=b"{}")
        equal((answer["FunctionError"], json.loads(answer["Payload"].read())["errorType"]), ("Unhandled", kind))


def large():
    """A zip that is larger than other services' bodies goes through, over TLS."""
    aws = client(HTTPS, CA)
    made = aws.create_function(FunctionName="large", Role=ROLE, Runtime="python3.12", Handler="main.handler", Timeout=20,
                               Code={"ZipFile": zipped({"main.py": "def handler(event, context):\n    return 'large'\n", "ballast": os.urandom(20 << 20)})})
    equal(made["CodeSize"] > 20 << 20, True)
    equal(json.loads(aws.invoke(FunctionName="large", Payload=b"{}")["Payload"].read()), "large")
    try:
        aws.create_function(FunctionName="wrong", Role=ROLE, Runtime="python3.12", Handler="main.handler", Code={"ZipFile": b"no zip"})
        raise AssertionError("it was taken")
    except ClientError as error:
        equal(error.response["Error"]["Code"], "InvalidParameterValueException")


with open(os.environ["WEIR_GO_FUNCTION"], "rb") as program:
    BOOTSTRAP = program.read()
check("boto3: a Go function", runtime, "go", "provided.al2023", "bootstrap", {"bootstrap": BOOTSTRAP}, "errorString")
check("boto3: a Python function", runtime, "python", "python3.12", "main.handler",
      {"main.py": PYTHON, "helper.py": "def same(x):\n    return x\n"}, "ValueError")
check("boto3: a Node function of ES modules", runtime, "node-esm", "nodejs22.x", "index.handler",
      {"index.mjs": NODE_MODULE, "lib/helper.mjs": "export const same = (x) => x;"}, "TypeError")
check("boto3: a Node function of CommonJS", runtime, "node-cjs", "nodejs20.x", "src/index.handler", {"src/index.js": NODE_COMMON}, "TypeError")
check("boto3: broken functions", broken)
check("boto3: a large function", large)
row("boto3", boto3.__version__, "functions in Go, Python and Node, from zip to answer", "24 invocations", "20 answers and 4 accepted as events")
