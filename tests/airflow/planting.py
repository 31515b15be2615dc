"""Kinds of secrets in data sources, each made from tokens of its own, none of which may be seen anywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

Config = dict[str, Any]

PARTS = 3
"""How many tokens each kind takes."""


def _jdbc(url: str) -> Callable[..., Config]:
    """A JDBC data source whose URL has the tokens in place of ``{0}`` to ``{2}``."""
    return _of("jdbc", url=url, query="SELECT 1", user="reader")


def _option(name: str, value: str = "{0}", object_format: str = "csv") -> Callable[..., Config]:
    def made(*tokens: str) -> Config:
        options = {name: value.replace("{0}", tokens[0]), "header": "true"}
        config = {"object_path": "planted/table", "object_format": object_format, "read_options": options}
        return {"type": "s3", "config": config}

    return made


def _path(path: str) -> Callable[..., Config]:
    def made(*tokens: str) -> Config:
        place = path.replace("{0}", tokens[0]).replace("{1}", tokens[1])
        return {"type": "s3", "config": {"object_path": place, "object_format": "parquet"}}

    return made


def _of(kind: str, **config: Any) -> Callable[..., Config]:
    def made(*tokens: str) -> Config:
        text = json.dumps(config)
        for place, token in enumerate(tokens):
            text = text.replace(f"{{{place}}}", token)
        return {"type": kind, "config": json.loads(text)}

    return made


def _big_query(*tokens: str) -> Config:
    key = base64.b64encode(json.dumps({"private_key": tokens[0]}).encode()).decode()
    return {"type": "bigquery", "config": {"credentials_base64": key + tokens[1], "table": "t"}}


_SNOWFLAKE = {"query": "SELECT 1", "user": "me", "database": "d", "sfschema": "s", "password": "{2}"}
_AWS = "X-Amz-Credential={0}&X-Amz-Signature={1}"

KINDS: dict[str, Callable[..., Config]] = {
    "PostgreSQL, login": _jdbc("jdbc:postgresql://u:{0}@h:5432/d"),
    "PostgreSQL, parameters": _jdbc("jdbc:postgresql://h:5432/d?user=u&password={0}&sslpassword={1}"),
    "password with an at sign": _jdbc("jdbc:postgresql://u:{0}@{1}@h/d"),
    "password with a slash": _jdbc("jdbc:postgresql://u:{0}/{1}@h/d"),
    "password with a question mark": _jdbc("jdbc:postgresql://u:{0}?{1};{2}@h/d"),
    "parameter with an at sign": _jdbc("jdbc:postgresql://h/d?password={0}@{1}/{2}"),
    "parameter of an unknown name": _jdbc("jdbc:postgresql://h/d?x={0}"),
    "fragment": _jdbc("jdbc:postgresql://h/d#{0}"),
    "Oracle, thin": _jdbc("jdbc:oracle:thin:scott/{0}@h:1521:sid"),
    "Oracle, thin, without a host": _jdbc("jdbc:oracle:thin:scott/{0}"),
    "Oracle, password with an at sign": _jdbc('jdbc:oracle:thin:scott/"{0}@{1}"@//h:1521/s'),
    "Oracle, oci": _jdbc("jdbc:oracle:oci:scott/{0}@tns"),
    "Oracle, wallet": _jdbc("jdbc:oracle:thin:@(DESCRIPTION=(SECURITY=(WALLET_PASSWORD={0}))(HOST=h))"),
    "MySQL, list of addresses": _jdbc("jdbc:mysql://(host=h,port=3306,user=u,password={0}),(password={1})/d"),
    "MySQL, address": _jdbc("jdbc:mysql://address=(host=h)(user=u)(password={0})/d"),
    "MySQL, several logins": _jdbc("jdbc:mysql:loadbalance://u:{0}@h1:3306,v:{1}@h2/d"),
    "SQL Server": _jdbc("jdbc:sqlserver://h\\i:1433;databaseName=d;user=u;password={0}"),
    "SQL Server, braces": _jdbc("jdbc:sqlserver://h:1433;password={{0};{1}=@{2}};encrypt=true"),
    "DB2": _jdbc("jdbc:db2://h:50000/d:user=u;password={0};"),
    "Teradata": _jdbc("jdbc:teradata://h/DATABASE=d,USER=u,PASSWORD={0}"),
    "H2": _jdbc("jdbc:h2:mem:d;USER=sa;PASSWORD={0}"),
    "Redshift": _jdbc("jdbc:redshift:iam://h/d?AccessKeyID={0}&SecretAccessKey={1}&SessionToken={2}"),
    "Redshift, short names": _jdbc("jdbc:redshift://h:5439/d;UID=u;PWD={0}"),
    "Databricks": _jdbc("jdbc:databricks://h:443/default;httpPath=/sql;UID=token;PWD={0}"),
    "JDBC of BigQuery": _jdbc(
        "jdbc:bigquery://https://h/bigquery/v2:443;OAuthPvtKey={0};OAuthAccessToken={1}"
    ),
    "user/password": _of("jdbc", url="jdbc:x://h/d", query="SELECT 1", user="scott/{0}", password="{1}"),
    "password of PostgreSQL": _of("postgres-jdbc", url="jdbc:postgresql://h/d", query="q", password="{0}"),
    "Athena": _of(
        "athena",
        url="jdbc:awsathena://AwsRegion=us-east-1;UID={0};PWD={1}",
        query="SELECT 1",
        password="{2}",
        s3_output_location="s3://results",
    ),
    "Athena, presigned results": _of(
        "athena", url="jdbc:awsathena://h", query="q", s3_output_location=f"s3://b/k?{_AWS}"
    ),
    "Snowflake": _of(
        "snowflake", url="https://a.snowflakecomputing.com/?token={0}&passcode={1}", **_SNOWFLAKE
    ),
    "Snowflake, login": _of("snowflake", url="https://u:{0}@a.snowflakecomputing.com", **_SNOWFLAKE),
    "Snowflake, options": _of(
        "snowflake",
        url="a.snowflakecomputing.com",
        read_options={"sfPassword": "{0}", "pem_private_key": "{1}", "sfToken": "{2}"},
        **_SNOWFLAKE,
    ),
    "BigQuery": _big_query,
    "BigQuery, options": _of(
        "bigquery",
        credentials_base64="{0}",
        table="t",
        read_options={"credentials": "{1}", "gcpAccessToken": "{2}"},
    ),
    "Glue": _of("glue", query="SELECT 1", read_options={"secret": "{0}"}),
    "presigned URL": _path(f"https://b.s3.amazonaws.com/k?X-Amz-Algorithm=a&{_AWS}"),
    "presigned path": _path(f"s3://b/k?{_AWS}"),
    "session token in a path": _path("b/k?versionId=1&X-Amz-Security-Token={0}"),
    "older signature": _path("b/k?AWSAccessKeyId={0}&Expires=1&Signature={1}"),
    "keys in a path": _path("s3://AKIA:{0}@b/k"),
    "keys with a slash in a path": _path("s3a://AKIA:{0}/{1}@b/k"),
    "path of another store": _path("abfss://c:{0}@a.dfs.core.windows.net/k?sig={1}"),
    "option Authorization": _option("Authorization", "Bearer {0}"),
    "option password": _option("password"),
    "option of S3A": _option("fs.s3a.secret.key", object_format="delta"),
    "option of Azure": _option("fs.azure.account.key.a.dfs.core.windows.net"),
    "option of no known name": _option("x-custom"),
    "option user": _option("user", "u/password={0}"),
    "option user, with a password": _option("sfUser", "scott/{0}"),
    "option endpoint_url with a login": _option("endpoint_url", "http://key:{0}@minio:9000"),
    "option endpoint with a parameter": _option("fs.s3a.endpoint", "http://minio:9000/?key={0}"),
    "option url": _option("url", "jdbc:oracle:thin:scott/{0}@h:1521:sid"),
}
