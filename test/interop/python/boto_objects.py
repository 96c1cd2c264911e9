"""Buckets and objects with boto3, over plain HTTP and over TLS: put, get, list, managed transfers, presigned URLs."""

import io
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from weir_check import CA, HTTP, HTTPS, check, equal, row


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        equal(error.response["Error"]["Code"], code)
    else:
        raise AssertionError(f"not refused with {code}")


def connect(endpoint, verify):
    return boto3.client("s3", endpoint_url=endpoint, verify=verify, region_name="us-east-1", aws_access_key_id="200000000021",
                        aws_secret_access_key="any", config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))


def life(endpoint, verify, bucket):
    client = connect(endpoint, verify)
    client.create_bucket(Bucket=bucket)
    client.get_waiter("bucket_exists").wait(Bucket=bucket)
    equal(bucket in [b["Name"] for b in client.list_buckets()["Buckets"]], True)
    everything = bytes(range(256)) * 10
    for key in ["fd", "fd/x", "a b+c/\u00e9&<>", "z"]:
        client.put_object(Bucket=bucket, Key=key, Body=everything, Metadata={"a": "b"}, ContentType="text/x")
        answer = client.get_object(Bucket=bucket, Key=key)
        equal((answer["Body"].read() == everything, answer["Metadata"], answer["ContentType"]), (True, {"a": "b"}, "text/x"))
    equal([o["Key"] for o in client.list_objects_v2(Bucket=bucket)["Contents"]], ["a b+c/\u00e9&<>", "fd", "fd/x", "z"])
    equal([o["Key"] for o in client.list_objects(Bucket=bucket, Delimiter="/")["Contents"]], ["fd", "z"])
    equal([p["Prefix"] for p in client.list_objects_v2(Bucket=bucket, Delimiter="/")["CommonPrefixes"]], ["a b+c/", "fd/"])
    equal(client.get_object(Bucket=bucket, Key="z", Range="bytes=3-5")["Body"].read(), everything[3:6])
    client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a b+c/\u00e9&<>"})
    equal(client.get_object(Bucket=bucket, Key="copy")["Body"].read() == everything, True)
    if "IfNoneMatch" in client.meta.service_model.operation_model("PutObject").input_shape.members:  # not in old ones
        refused("PreconditionFailed", client.put_object, Bucket=bucket, Key="z", Body=b"x", IfNoneMatch="*")
    refused("NoSuchKey", client.get_object, Bucket=bucket, Key="nothing")
    refused("404", client.head_object, Bucket=bucket, Key="nothing")
    deleted = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in ["fd", "fd/x", "a b+c/\u00e9&<>", "z", "copy"]]})
    equal(len(deleted["Deleted"]), 5)
    client.delete_bucket(Bucket=bucket)
    refused("NoSuchBucket", client.list_objects_v2, Bucket=bucket)


def transfers(endpoint, verify, bucket):
    client = connect(endpoint, verify)
    client.create_bucket(Bucket=bucket)
    large = bytes(range(256)) * (17 << 12)  # 17 MiB
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
    client.upload_fileobj(io.BytesIO(large), bucket, "large", Config=config)
    equal(client.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-4"'), True)
    back = io.BytesIO()
    client.download_fileobj(bucket, "large", back, Config=config)
    equal(back.getvalue() == large, True)
    client.copy({"Bucket": bucket, "Key": "large"}, bucket, "copy", Config=config)
    equal(client.head_object(Bucket=bucket, Key="copy")["ContentLength"], len(large))
    url = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "signed"}, ExpiresIn=60)
    if endpoint.startswith("http:"):  # urllib would need the certificate
        urllib.request.urlopen(urllib.request.Request(url, data=b"hello", method="PUT")).read()
        url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "signed"}, ExpiresIn=60)
        equal(urllib.request.urlopen(url).read(), b"hello")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1}):
        for one in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=one["Key"])
    client.delete_bucket(Bucket=bucket)


check("boto3 objects over HTTP", life, HTTP, None, "boto-http")
check("boto3 objects over TLS", life, HTTPS, CA, "boto-tls")
check("boto3 transfers over HTTP", transfers, HTTP, None, "boto-transfers-http")
check("boto3 transfers over TLS", transfers, HTTPS, CA, "boto-transfers-tls")
row("boto3", boto3.__version__, "objects: puts, multipart transfers, copies, presigned URLs, over HTTP and TLS", "15 objects", "13 objects")
