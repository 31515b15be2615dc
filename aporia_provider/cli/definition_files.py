"""YAML files of segments and custom metrics, and the creation of what they have."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aporia_provider.cli.answer_lines import print_line
from aporia_provider.cli.registry_access import opened_registry
from aporia_provider.errors import AporiaError, ConflictError, ValidationError

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.segment_file import FileParts, SegmentFile

Creation = tuple[str, str, Callable[..., Any], Any]
"""Id of the model, name, the call that creates, and what it creates."""


def read_files(paths: Sequence[str], options: Namespace) -> list[SegmentFile]:
    """
    Return the content of files.

    :param paths: The files.
    :param options: Options of the command, which name the backend.
    :raises aporia_provider.errors.ValidationError: with all faults of all files. If one of them has a wrong
        form, faults of the conditions and codes that can be checked are included.
    """
    from aporia_provider.segment_file import parse_segment_file, parts_of_file

    files: list[SegmentFile] = []
    problems: list[str] = []
    parts: list[FileParts | None] = []
    for path in paths:
        try:
            text = Path(path).read_text()
            parts.append(parts_of_file(text))
            files.append(parse_segment_file(text))
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{path}: {error}")
        except ValidationError as error:
            problems += [f"{path}: {problem}" for problem in error.problems or [error.message]]
    if not problems:
        return files
    if valid_parts := [part for part in parts if part is not None]:
        with opened_registry(options) as registry:
            problems += _faults(registry, valid_parts)
    raise ValidationError("The files cannot be used", problems=problems)


def _faults(registry: EmbeddedRegistry, parts: Sequence[FileParts]) -> list[str]:
    from aporia_provider.backend.registration.definition_checks import faults_of_parts

    return [fault for part in parts for fault in faults_of_parts(registry, part)]


def create_all(creations: Sequence[Creation], what: str, options: Namespace) -> int:
    """
    Create everything and print the results; the faults of all are printed as well.

    :param creations: What is created, in this order.
    :param what: What it is, for the last line.
    :param options: Options of the command.
    :return: Exit code: 2 if something was not created.
    """
    results, faults = [], []
    for model, name, create, value in creations:
        try:
            made = create(model, value, if_exists=options.if_exists)
        except (ValidationError, ConflictError) as error:
            faults.append(f"{model}: {name}: {error.message}")
        except AporiaError as error:
            faults.append(f"{model}: {name}: {error.message}")
            break
        else:
            results.append({"model_id": model, "name": name, **made})
    if options.json:
        print(json.dumps(results, indent=2), file=options.answers)
    else:
        for result in results:
            print_line(options.answers, result["status"], result["model_id"], result["name"])
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(results)} of {len(creations)} {what} are registered.", file=sys.stderr)
    return 2 if faults else 0
