"""The forms of paths, and what is said to those that are none."""

from __future__ import annotations

import pytest

from aporia_provider.data_sources import S3DataSource
from aporia_provider.errors import ValidationError
from aporia_provider.lake.failures import local_path
from aporia_provider.locations import location_fault


def uri(path: str) -> str:
    return S3DataSource(object_path=path, object_format="delta").uri


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("bucket/key", "s3://bucket/key"),
        ("s3://bucket/key/", "s3://bucket/key"),
        ("s3a://bucket/a b/ü", "s3://bucket/a b/ü"),
        ("S3N://bucket/key", "s3://bucket/key"),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket//a///b", "s3://bucket/a/b"),
        ("s3://bucket/a%20b#c?d", "s3://bucket/a%20b#c?d"),
        ("s3://My_Bucket.eu/k", "s3://My_Bucket.eu/k"),
        ("/data/table", "file:///data/table"),
        ("/data//a b/[x]*", "file:///data/a b/[x]*"),
        ("/data/a%20b", "file:///data/a%2520b"),
        ("file:///data/a%20b", "file:///data/a%20b"),
        ("file:/data/t", "file:///data/t"),
        ("file://localhost/data/t/", "file:///data/t"),
        ("FILE:///data", "file:///data"),
    ],
)
def test_uris(path: str, expected: str) -> None:
    assert uri(path) == expected


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/data/a%20b", "/data/a%20b"),
        ("file:///data/a%20b", "/data/a b"),
        ("file:///data/%C3%BC", "/data/ü"),
        ("/data/a#b?c", "/data/a#b?c"),
        ("file:///data/a#b?c", "/data/a#b?c"),
    ],
)
def test_local_paths(path: str, local: str) -> None:
    assert local_path(uri(path)) == local


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("https://bucket.s3.amazonaws.com/k", "has the scheme https:, .* instead of the URL of an object"),
        ("gs://bucket/k", "has the scheme gs:, which cannot be read; write s3://bucket/key"),
        ("abfss://c@a.dfs.core.windows.net/k", "has the scheme abfss:"),
        ("s3://user:secret@bucket/k", "contains a login"),
        ("s3://user:sec/secret@bucket/k", "contains a login"),
        ("s3://{{ conn.a.login }}:{{ conn.a.password }}@bucket/k", "contains a login"),
        ("s3://bucket/k?X-Amz-Signature=secret", "is a presigned URL: write s3://bucket/key"),
        ("bucket/k?versionId=1&x-amz-security-token=secret", "is a presigned URL"),
        ("https://bucket.s3.amazonaws.com/k?X-Amz-Credential=secret&X-Amz-Signature=a", "is a presigned URL"),
        ("/data/{{ ds }}?AWSAccessKeyId=secret&Signature=secret", "is a presigned URL"),
        ("abfss://container/k", "has the scheme abfss:"),
        ("hdfs://name:8020/k", "has the scheme hdfs:"),
        ("dbfs:/mnt/t", "has the scheme dbfs:, .*mounted there"),
        ("s3:/bucket/key", "did you mean s3://bucket/key?"),
        ("s3a:bucket/key", "did you mean s3a://bucket/key?"),
        ("arn:aws:s3:::bucket/key", "alias of an access point"),
        ("C:\\data\\t", "is a Windows path"),
        ("d:/data", "is a Windows path"),
        ("\\\\host\\share", "is a Windows path"),
        ("./data", "is a relative path"),
        ("~/data", "is a relative path"),
        ("file://host/data", "names a host"),
        ("file:data", "is a relative path"),
        ("/", "is the root of the disk"),
        ("file:///", "is the root of the disk"),
        ("//", "is the root of the disk"),
        ("s3://", "names no bucket"),
        ("s3:///key", "names no bucket"),
        ("s3//bucket/key", "did you mean s3://bucket/key?"),
        ("s3://a bucket/k", "an invalid bucket name 'a bucket'"),
        ("bücket/k", "an invalid bucket name"),
        ("s3://bucket/../k", "has '.' or '..' as a segment of its key"),
        ("s3://bucket/a\nb", "contains a control character"),
        ("user:secret@bucket/key", "has the scheme|an invalid bucket name"),
    ],
)
def test_faults(path: str, told: str) -> None:
    with pytest.raises(ValidationError, match=f"object_path: .*(?:{told})") as caught:
        S3DataSource(object_path=path, object_format="delta")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("path", ["{{ params.path }}", "https://{{ host }}/x", "{% if x %}a{% endif %}"])
def test_templates_are_judged_when_rendered(path: str) -> None:
    assert location_fault(path) is None
