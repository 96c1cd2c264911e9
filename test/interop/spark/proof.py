"""Spark Streaming's Kinesis source, whose Kinesis Client Library 1 keeps leases in a table.

Arguments: the folder with the job and its jars. Spark lets one set the endpoint of Kinesis alone; DynamoDB's and CloudWatch's come from the list of
regions of the AWS SDK for Java 1, which is given another one by the property that SDK has for it. The job is killed in the middle, and started again.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import boto3

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
from weir_check import CA, HTTP, HTTPS, check, equal, row  # noqa: E402

BUILT = pathlib.Path(sys.argv[1])
ACCOUNT, STREAM = "200000000033", "spark"
KEYS, EACH = 20, 150
PATIENCE = 120.0  # seconds; a JVM with Spark starts, and finds a lease whose owner is silent
OPEN = ["java.base/java.lang", "java.base/java.lang.invoke", "java.base/java.lang.reflect", "java.base/java.io", "java.base/java.net", "java.base/java.nio",
        "java.base/java.util", "java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic", "java.base/sun.nio.ch", "java.base/sun.nio.cs",
        "java.base/sun.security.action", "java.base/sun.util.calendar"]  # what Spark's own scripts open for Java 17

client = boto3.client("kinesis", endpoint_url=HTTP, region_name="us-east-1", aws_access_key_id=ACCOUNT, aws_secret_access_key="any")


def until(what, job, condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        equal(job.poll(), None)
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE} s for {what}")
        time.sleep(0.2)


def regions(place):
    """A list of regions in which every service of us-east-1 is Weir."""
    at = HTTPS.removeprefix("https://")
    endpoints = "".join(f"<Endpoint><ServiceName>{name}</ServiceName><Http>false</Http><Https>true</Https><Hostname>{at}</Hostname></Endpoint>"
                        for name in ("kinesis", "dynamodb", "monitoring"))
    file = place / "regions.xml"
    file.write_text(f"<XML><Regions><Region><Name>us-east-1</Name>{endpoints}</Region></Regions></XML>", encoding="utf-8")
    return file


def put(number):
    answer = client.put_records(StreamName=STREAM, Records=[{"PartitionKey": f"key-{key}", "Data": f"key-{key} {number}".encode()} for key in range(KEYS)])
    equal(answer["FailedRecordCount"], 0)


def run(place):
    subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "weir", "-file", CA, "-keystore", str(place / "trust.p12"), "-storetype", "PKCS12", "-storepass", "changeit"],
                   check=True, capture_output=True)
    lines, log = place / "lines", place / "log"
    command = ["java", "-Xmx512m", "-XX:+UseSerialGC", *(f"--add-opens={one}=ALL-UNNAMED" for one in OPEN),
               f"-Dcom.amazonaws.regions.RegionUtils.fileOverride={regions(place)}", f"-Djavax.net.ssl.trustStore={place / 'trust.p12'}", "-Djavax.net.ssl.trustStorePassword=changeit",
               "-cp", f"{BUILT / 'classes'}:{BUILT / 'lib'}/*", "interop.spark.Job", STREAM, str(lines), f"file://{place / 'checkpoints'}"]
    env = dict(os.environ, AWS_ACCESS_KEY_ID=ACCOUNT, AWS_SECRET_ACCESS_KEY="any")

    def start():
        with open(log, "ab") as out:
            return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=place)

    def seen():
        return [line for line in lines.read_text(encoding="utf-8").splitlines(True) if line.endswith("\n")] if lines.exists() else []

    client.create_stream(StreamName=STREAM, ShardCount=2)
    client.get_waiter("stream_exists").wait(StreamName=STREAM, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    job = start()
    try:
        put(0)
        until("the first records", job, lambda: len(seen()) >= KEYS)
        for number in range(1, EACH):
            put(number)
            if number == EACH // 3:
                until("records in the middle", job, lambda: len(seen()) > KEYS)
                job.kill()
                job.wait()
            if number == EACH // 2:
                job = start()
            time.sleep(0.02)
        until("every record", job, lambda: len(set(seen())) == KEYS * EACH)
        again = len(seen()) - KEYS * EACH
        print(f"# {STREAM}: {KEYS * EACH} records, {again} of them again", flush=True)
    except Exception as error:
        said = [line for line in log.read_text(errors="replace").splitlines() if "ERROR" in line or "Exception" in line]
        raise AssertionError(f"{error}; {len(set(seen()))} records came; the job said: {' | '.join(said[-3:])[:1500]}") from error
    finally:
        job.kill()
        job.wait()


VERSION = next((BUILT / "lib").glob("spark-streaming-kinesis-asl_*.jar")).stem.rpartition("-")[2]
folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-spark-"))
if check("Spark Streaming, its driver killed and started again", run, folder):
    row("Spark Streaming, `spark-streaming-kinesis-asl`", VERSION, "a job with a checkpoint folder, leases in a table by its KCL 1", f"{KEYS * EACH} records", f"{KEYS * EACH} records, each at least once",
        "the job killed and started again")
shutil.rmtree(folder, ignore_errors=True)
