"""Runs a Python handler against the Lambda Runtime API: asks for an event, calls the handler, posts what it gave."""
import http.client
import importlib
import json
import os
import sys
import time
import traceback

ROOT = os.environ["LAMBDA_TASK_ROOT"]
API = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def call(method, name, body=None, headers=None):
    API.request(method, "/2018-06-01/runtime/" + name, body, headers or {})
    answer = API.getresponse()
    return answer.headers, answer.read()


def report(name, error):
    text = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_exception(type(error), error, error.__traceback__)[1:-1],
    }
    print("[ERROR] %s: %s\n%s" % (text["errorType"], text["errorMessage"], "".join(text["stackTrace"])), file=sys.stderr, flush=True)
    call("POST", name, json.dumps(text), {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": "Unhandled"})


class Context:
    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        client = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = json.loads(client) if client else None
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)


def load():
    handler = os.environ["_HANDLER"]
    module, _, name = handler.rpartition(".")
    if not module:
        raise ValueError("Bad handler '%s': not enough values to unpack (expected 2, got 1)" % handler)
    sys.path.insert(0, ROOT)
    return getattr(importlib.import_module(module.replace("/", ".")), name)


def main():
    try:
        handler = load()
    except BaseException as error:
        report("init/error", error)
        sys.exit(1)
    while True:
        headers, body = call("GET", "invocation/next")
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
        context = Context(headers)
        try:
            value = json.dumps(handler(json.loads(body or b"null"), context))
        except Exception as error:
            report("invocation/%s/error" % context.aws_request_id, error)
            continue
        call("POST", "invocation/%s/response" % context.aws_request_id, value, {"Content-Type": "application/json"})


main()
