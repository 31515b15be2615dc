"""Entry point of the command line interface ``aporia-provider``."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from aporia_provider.cli.about import add_about
from aporia_provider.cli.alerts import add_alerts
from aporia_provider.cli.answer_lines import print_line
from aporia_provider.cli.arguments import period, port, seconds
from aporia_provider.cli.compare import add_compare
from aporia_provider.cli.compare_segments import add_compare_segments
from aporia_provider.cli.custom_metrics import add_custom_metrics
from aporia_provider.cli.freshness import add_freshness
from aporia_provider.cli.metrics import add_metrics
from aporia_provider.cli.model_updates import add_models
from aporia_provider.cli.monitors import add_monitors
from aporia_provider.cli.retire import add_retire
from aporia_provider.cli.segments import add_segments
from aporia_provider.errors import AporiaError, ValidationError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from aporia_provider.backend.store.database import Database

    Commands = _SubParsersAction[ArgumentParser]


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command.

    Only the result is written to standard output. Output of libraries, such as log lines of Airflow and
    Alembic, is redirected to standard error.

    :return: Exit code: 0 on success; 1 if no metric could be computed, a comparison is not passed or a table
        is late; 2 after any other error.
    """
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Such as of `head`. Python flushes standard output again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    return code


def _run(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    options.answers = sys.stdout
    try:
        # Airflow logs to the sys.stdout at the time of its first import, which commands perform.
        with redirect_stdout(sys.stderr):
            code: int | None = options.run(options)
    except AporiaError as error:
        print(f"aporia-provider: {error.message}", file=sys.stderr)
        return 2
    return code or 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        "aporia-provider", description="The embedded monitoring backend of Apache Airflow."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_token(commands)
    migrate = commands.add_parser("migrate", help="migrate the database to the schema of this version")
    _add_database_url(migrate)
    migrate.set_defaults(run=_migrate)
    _add_database_url(add_metrics(commands))
    _add_database_url(add_compare(commands))
    _add_database_url(add_compare_segments(commands))
    _add_database_url(add_retire(commands))
    for action in (*add_alerts(commands), *add_models(commands)):
        _add_database_url(action)
    for command in (*add_monitors(commands), *add_segments(commands), *add_custom_metrics(commands)):
        _add_database_url(command)
    policy = commands.add_parser("iam-policy", help="print the IAM policy required to read these tables")
    policy.add_argument("uris", nargs="+", metavar="S3_URI")
    policy.set_defaults(run=_iam_policy)
    add_freshness(commands)
    add_about(commands)
    return parser


def _add_serve(commands: Commands) -> None:
    serve = commands.add_parser("serve", help="serve the protocol over HTTP")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=port, default=8686, help="0 chooses a free one (default: %(default)s)")
    serve.add_argument(
        "--token-file",
        type=Path,
        help="file of lines: environment, token and optionally read-only; must be readable only by you",
    )
    serve.add_argument(
        "--allow-local-folder",
        action="append",
        metavar="FOLDER",
        help="accept data sources in this folder of the server's disk; may be repeated",
    )
    serve.add_argument(
        "--request-seconds",
        type=seconds,
        default=30.0,
        help="maximum duration of a response (default: %(default)g)",
    )
    serve.add_argument("--page", action="store_true", help="serve the web page as well, below /page/")
    serve.add_argument(
        "--page-reads-logs",
        action="store_true",
        help="let the page read Delta logs on S3, for the first commits of alerts, with the AWS credentials "
        "of this process and for the tables of all environments",
    )
    _add_database_url(serve)
    serve.set_defaults(run=_serve)


def _add_token(commands: Commands) -> None:
    token = commands.add_parser("token", help="create, list and revoke API tokens")
    actions = token.add_subparsers(required=True, metavar="ACTION")
    listed = "list tokens: environment, name, creation, expiry, last use, rights"
    texts = {"create": "print a new token", "list": listed, "revoke": "revoke a token"}
    runs = {"create": _create_token, "list": _list_tokens, "revoke": _revoke_token}
    for action, text in texts.items():
        parser = actions.add_parser(action, help=text)
        parser.add_argument("--environment", required=action != "list")
        if action != "list":
            parser.add_argument("--name", required=True)
        if action == "create":
            parser.add_argument(
                "--expires-in", type=period, metavar="PERIOD", help="such as 90d; default: never"
            )
            parser.add_argument(
                "--read-only", action="store_true", help="for metrics and the status of syncs"
            )
        _add_database_url(parser)
        parser.set_defaults(run=runs[action])


def _add_database_url(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--database-url",
        help="default: [aporia] database_url of Airflow's configuration (or the environment variable "
        "AIRFLOW__APORIA__DATABASE_URL), or SQLite in AIRFLOW_HOME. Give a URL with a password there: other "
        "users of the machine can read command lines",
    )


def _database_url(options: Namespace) -> str:
    if options.database_url:
        return str(options.database_url)
    from aporia_provider import settings

    return settings.database_url()


def _database(options: Namespace) -> Database:
    from aporia_provider.backend.store.database import Database

    return Database(_database_url(options))


def _serve(options: Namespace) -> None:
    from aporia_provider.backend.server.serve import serve

    if options.page_reads_logs and not options.page:
        raise ValidationError("--page-reads-logs is given without --page")
    with _database(options) as database:
        serve(
            database,
            host=options.host,
            port=options.port,
            token_file=options.token_file,
            allowed_local_folders=_folders(options),
            request_seconds=options.request_seconds,
            page=options.page,
            page_reads_logs=options.page_reads_logs,
        )


def _folders(options: Namespace) -> tuple[str, ...]:
    if options.allow_local_folder is not None:
        return tuple(options.allow_local_folder)
    from aporia_provider import settings

    return settings.allowed_local_folders()


def _create_token(options: Namespace) -> None:
    from aporia_provider.backend.server.auth.tokens import create_token

    with _database(options) as database:
        token = create_token(
            database,
            options.environment,
            options.name,
            expires_in=options.expires_in,
            read_only=options.read_only,
        )
    print("Store this token: only its digest is stored here, so it cannot be shown again.", file=sys.stderr)
    print(token, file=options.answers)


def _list_tokens(options: Namespace) -> None:
    from aporia_provider.backend.server.auth.tokens import list_tokens

    with _database(options) as database:
        for token in list_tokens(database, options.environment):
            times = (token["created_at"], token["expires_at"], token["last_used_at"])
            shown = ("-" if time is None else time.isoformat(timespec="seconds") for time in times)
            rights = "read-only" if token["read_only"] else "all"
            print_line(options.answers, token["environment"], token["name"], *shown, rights)


def _revoke_token(options: Namespace) -> None:
    from aporia_provider.backend.server.auth.tokens import revoke_token

    with _database(options) as database:
        revoke_token(database, options.environment, options.name)
    print(f"Revoked {options.name} of environment {options.environment}.", file=sys.stderr)


def _migrate(options: Namespace) -> None:
    from aporia_provider.backend.store.database import migrate

    migrate(_database_url(options))
    print("The database has the schema of this version.", file=sys.stderr)


def _iam_policy(options: Namespace) -> None:
    from aporia_provider.lake.s3.iam_policies import read_policy

    print(json.dumps(read_policy(options.uris), indent=2), file=options.answers)


if __name__ == "__main__":
    sys.exit(main())
