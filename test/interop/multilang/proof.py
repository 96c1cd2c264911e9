"""The MultiLangDaemon of the Kinesis Client Library for Java, which keeps its leases in tables and hands records to processors in other languages.

Arguments: the folder with the daemon's jars, another where the library in them is 3.5, the folder that holds amazon_kclpy, the folder where aws-kcl is installed, and weir. Two daemons with processors
in Python share an application; one of them is killed while records come and the stream is resharded. In a second application the one that stays is weir
multilang, which has the same processors and the same properties; it has the library 3.5 beside it, because an application of that version keeps in its lease
table what earlier ones cannot read. A third has processors in Node.
"""

import collections
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import boto3

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
from weir_check import HTTP, check, equal, row  # noqa: E402

JARS, JARS35, KCLPY, NODE, WEIR = (pathlib.Path(word) for word in sys.argv[1:6])
HERE = pathlib.Path(__file__).resolve().parent
ACCOUNT = "200000000032"
KEYS, EACH = 20, 150
PATIENCE = 150.0  # seconds; a daemon starts a JVM, and takes over what another had when that has been silent for two failover times

client = boto3.client("kinesis", endpoint_url=HTTP, region_name="us-east-1", aws_access_key_id=ACCOUNT, aws_secret_access_key="any")


def until(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE} s for {what}")
        time.sleep(0.2)


class Application:
    """Daemons of one application, and what their processors have written."""

    def __init__(self, name, executable):
        self.name, self.executable, self.daemons = name, executable, []
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="weir-multilang-"))

    def start(self, kind):
        """Starts a daemon, java, java35 or weir, with a properties file as people have it; the endpoints are all that differs."""
        place = self.dir / str(len(self.daemons))
        place.mkdir()
        properties = place / "application.properties"
        properties.write_text(f"""
executableName = {self.executable} {place}
streamName = {self.name}
applicationName = {self.name}
AwsCredentialsProvider = EnvironmentVariableCredentialsProvider
regionName = us-east-1
kinesisEndpoint = {HTTP}
dynamoDBEndpoint = {HTTP}
initialPositionInStream = TRIM_HORIZON
failoverTimeMillis = 4000
shardSyncIntervalMillis = 5000
parentShardPollIntervalMillis = 1000
idleTimeBetweenReadsInMillis = 250
metricsLevel = detailed
""", encoding="utf-8")
        env = dict(os.environ, AWS_ACCESS_KEY_ID=ACCOUNT, AWS_SECRET_ACCESS_KEY="any", AWS_ENDPOINT_URL_CLOUDWATCH=HTTP, PYTHONPATH=str(KCLPY), NODE_PATH=str(NODE / "node_modules"))
        if kind == "weir":
            command = [str(WEIR), "multilang", str(properties)]
        else:
            command = ["java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{HERE / 'conf'}:{JARS35 if kind == 'java35' else JARS}/*",
                       "software.amazon.kinesis.multilang.MultiLangDaemon", "--properties-file", str(properties)]
        with open(place / "log", "wb") as log:
            self.daemons.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=env))

    def lines(self, daemon="*"):
        """What was written, in the order of each process: [(file, words)]. Processes are in the order of their first line's time."""
        files = sorted(self.dir.glob(f"{daemon}/*.lines"), key=lambda file: file.stat().st_ctime_ns)
        return [(file, line.split()) for file in files for line in file.read_text(encoding="utf-8").splitlines(True) if line.endswith("\n")]

    def numbers(self):
        """Of each key, which numbers came."""
        seen = collections.defaultdict(set)
        for _, words in self.lines():
            if words[0] == "R":
                seen[words[2]].add(int(words[3]))
        return seen

    def verify(self, each):
        """Every record came; within one processor those of a key are in their order; ended shards are those of the stream."""
        equal(sorted((key, len(of)) for key, of in self.numbers().items()), sorted((f"key-{key}", each) for key in range(KEYS)))
        last = collections.defaultdict(lambda: -1)
        for file, words in self.lines():
            if words[0] == "R":
                equal(last[file, words[1], words[2]] < int(words[3]), True)
                last[file, words[1], words[2]] = int(words[3])
        closed = {shard["ShardId"] for shard in client.list_shards(StreamName=self.name)["Shards"] if "EndingSequenceNumber" in shard["SequenceNumberRange"]}
        until("the ends of closed shards", lambda: {words[1] for _, words in self.lines() if words[0] == "E"} >= closed)
        return sum(1 for _, words in self.lines() if words[0] == "R") - KEYS * each, len(closed)

    def complaint(self):
        said = [line for file in sorted(self.dir.glob("*/log")) for line in file.read_text(errors="replace").splitlines() if "ERROR" in line or "Exception" in line]
        return " | ".join(said[-3:])[:1500]

    def close(self):
        for daemon in self.daemons:
            daemon.kill()  # its processors end with their standard input
            daemon.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def create(stream, shards):
    client.create_stream(StreamName=stream, ShardCount=shards)
    active(stream)


def active(stream):
    until("the stream to be ACTIVE", lambda: client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")


def put(stream, number):
    answer = client.put_records(StreamName=stream, Records=[{"PartitionKey": f"key-{key}", "Data": str(number).encode()} for key in range(KEYS)])
    equal(answer["FailedRecordCount"], 0)


def run(stream, executable, *kinds):
    """Runs a daemon of each kind, of which the first is killed if there are more."""
    daemons = len(kinds)
    create(stream, 3)
    application = Application(stream, executable)
    try:
        for kind in kinds:
            application.start(kind)
        put(stream, 0)
        until("the first records", lambda: len(application.numbers()) == KEYS)
        if daemons > 1:
            # Balancing hands leases over; the victim is a daemon that has one.
            until("both daemons to process", lambda: all(any(words[0] == "I" for _, words in application.lines(daemon)) for daemon in range(daemons)))
        for number in range(1, EACH):
            put(stream, number)
            if number == EACH // 3:
                client.update_shard_count(StreamName=stream, TargetShardCount=4, ScalingType="UNIFORM_SCALING")
            if number == EACH // 2 and daemons > 1:
                application.daemons[0].kill()
            time.sleep(0.02)
        active(stream)
        until("every record", lambda: sum(len(of) for of in application.numbers().values()) == KEYS * EACH)
        again, ended = application.verify(EACH)
        names = boto3.client("cloudwatch", endpoint_url=HTTP, region_name="us-east-1", aws_access_key_id=ACCOUNT, aws_secret_access_key="any").list_metrics(Namespace=stream)["Metrics"]
        print(f"# {stream}: {KEYS * EACH} records, {again} of them again; {ended} shards to their end; {len(names)} metrics reported", flush=True)
    except Exception as error:
        raise AssertionError(f"{error}; the daemons said: {application.complaint()}") from error
    finally:
        application.close()


def version(jars, artifact):
    return next(jars.glob(f"{artifact}-[0-9]*.jar")).stem.removeprefix(artifact + "-")


DAEMON, KCL35 = version(JARS, "amazon-kinesis-client-multilang"), version(JARS35, "amazon-kinesis-client")
PYTHON = f"{sys.executable} -B {HERE / 'processor.py'}"


def python():
    name = "MultiLangDaemon, processors in Python, one of two daemons killed during a reshard"
    if check(name, run, "multilang-python", PYTHON, "java", "java"):
        row("MultiLangDaemon of the KCL for Java", f"{DAEMON}, amazon_kclpy {KCLPY.name.rpartition('-')[2]}", "two daemons with processors in Python, leases in tables and metrics on",
            f"{KEYS * EACH} records", f"{KEYS * EACH} records, each at least once, in order within a processor", "a daemon killed during a reshard")


def mixed():
    name = "MultiLangDaemon and weir multilang in one application, processors in Python, the former killed during a reshard"
    if check(name, run, "multilang-mixed", PYTHON, "java35", "weir"):
        row("weir multilang with amazon_kclpy", f"amazon_kclpy {KCLPY.name.rpartition('-')[2]}, beside MultiLangDaemon {DAEMON} on KCL {KCL35}", "a daemon of each kind in one application, with the same processors and properties",
            f"{KEYS * EACH} records", f"{KEYS * EACH} records, each at least once, in order within a processor", "the daemon in Java killed during a reshard")


def node():
    name = "MultiLangDaemon, processors in Node, through a reshard"
    if check(name, run, "multilang-node", f"node {HERE / 'processor.cjs'}", "java"):
        row("MultiLangDaemon of the KCL for Java", f"{DAEMON}, aws-kcl for Node 2.3.2", "a daemon with processors in Node, leases in tables and metrics on",
            f"{KEYS * EACH} records", f"{KEYS * EACH} records, each at least once, in order within a processor", "a reshard while records come")


threads = [threading.Thread(target=one) for one in (python, mixed, node)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
