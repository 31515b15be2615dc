"""
Validation and analysis of the expressions of a data source, which compute columns from one row.

They are Spark SQL that an engine will run, so they are checked against an allow list, both as tokens (every
name before a parenthesis) and as the parsed tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from aporia_provider.engine.sql.functions import CHANGING, SYNTAX, rejection_reason
from aporia_provider.engine.sql.parsing import MAX_OPERATIONS, SELECT, LimitError, Parsing, operations

if TYPE_CHECKING:
    from sqlglot import exp

_QUERY_WORDS = {"select", "table", "values", "with", "using", "identifier"}


def check_select_expr(expressions: Sequence[str]) -> list[str]:
    """
    Return all faults of the expressions of a data source.

    :param expressions: Expressions, one for each column.
    :return: One line for each fault.
    """
    parsing, problems = Parsing(expressions), []
    for index, expression in enumerate(expressions):
        for fault in dict.fromkeys(_expression_faults(expression, parsing)):
            problems.append(f"select_expr[{index}] {_shortened(expression)!r}: {fault}")
        if parsing.fault:
            return [*problems, f"select_expr: {parsing.fault}"]
    return problems


def unchanged_columns(expressions: Sequence[str] | None, columns: Sequence[str]) -> dict[str, str]:
    """
    Return the columns of the result that are unchanged columns of the source.

    :param expressions: Expressions that passed :func:`check_select_expr`; None or empty for all columns.
    :param columns: Columns of the source.
    :return: Names in the result to names in the source.
    """
    if not expressions:
        return {name: name for name in columns}
    columns_by_lowercase: dict[str, list[str]] = {}
    for name in columns:
        columns_by_lowercase.setdefault(name.lower(), []).append(name)
    origins_by_name: dict[str, list[tuple[str, str | None]]] = {}
    parsing = Parsing(expressions)
    for expression in expressions:
        for name, origin in _output_columns(parsing.expression(expression), columns):
            matching = columns_by_lowercase.get((origin or "").lower(), [])
            origins_by_name.setdefault(name.lower(), []).append(
                (name, matching[0] if len(matching) == 1 else None)
            )
    return {
        name: origin for (name, origin), *duplicates in origins_by_name.values() if origin and not duplicates
    }


def source_columns(expressions: Sequence[str] | None, columns: Sequence[str]) -> dict[str, frozenset[str]]:
    """
    Return the columns of the source from which each column of the result may be computed.

    :param expressions: Expressions that passed :func:`check_select_expr`; None or empty for all columns.
    :param columns: Columns of the source.
    :return: Names in the result to names in the source. Columns without an explicit name are left out.
    """
    if not expressions:
        return {name: frozenset([name]) for name in columns}
    origins: dict[str, frozenset[str]] = {}
    parsing = Parsing(expressions)
    for expression in expressions:
        root = parsing.expression(expression)
        identifiers = _names_in(root, columns)
        for name, origin in _output_columns(root, columns):
            # Columns of an asterisk are copies.
            used_names = {origin.lower()} if origin else identifiers
            used_columns = frozenset(column for column in columns if column.lower() in used_names)
            origins[name] = origins.get(name, frozenset()) | used_columns
    return origins


def _expression_faults(expression: str, parsing: Parsing) -> Iterator[str]:
    from sqlglot.errors import ParseError, TokenError

    if not expression.strip():
        yield "it is empty"
        return
    try:
        yield from _token_faults(parsing.tokens(expression))
        yield from _statement_faults(parsing.statements(expression))
    except LimitError as error:
        if not parsing.fault:
            yield error.message
    except ParseError as error:
        yield _syntax_message(error)
    except TokenError:
        yield "it is not Spark SQL: a quote is not closed"
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError):
        # sqlglot raises these errors for functions that lack required arguments.
        yield "it is not Spark SQL: it is nested too deeply, or a function lacks arguments"


def _token_faults(tokens: Sequence[Any]) -> Iterator[str]:
    for index, token in enumerate(tokens):
        next_text = tokens[index + 1].text if index + 1 < len(tokens) else ""
        previous = tokens[index - 1].text if index else ""
        if token.comments:
            yield "it has a comment; remove it"
        if _is_quoted(token) or previous == ".":
            pass
        elif token.text.lower() in _QUERY_WORDS and next_text != ".":
            yield f"{token.text!r} is a keyword of a query; put backticks around it if it is a column"
        if next_text == "(" and _is_name(token):
            yield from _call_faults(token, previous)


def _call_faults(token: Any, previous: str) -> Iterator[str]:
    name = token.text.lower()
    if previous == ".":
        yield f"{token.text}() has a catalogue or schema in its name; only built-in functions are allowed"
    elif (name == "except" and previous == "*") or (name == "any" and previous.lower() in ("like", "ilike")):
        return
    elif (_is_quoted(token) or name not in SYNTAX) and (reason := rejection_reason(name)):
        yield f"{token.text}() is not allowed: {reason}"


def _statement_faults(statements: Sequence[Any]) -> Iterator[str]:
    from sqlglot import exp

    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        yield "it is not one expression"
        return
    select = statements[0]
    if [key for key, value in select.args.items() if value and key != "expressions"]:
        yield "it is more than an expression: clauses of a query are not allowed"
    if len(select.expressions) != 1:
        yield "it is several expressions; write each as a separate item"
    for root in select.expressions:
        if operations(root) > MAX_OPERATIONS:
            yield f"it has more than {MAX_OPERATIONS} nested operations, which is the limit"
        yield from _tree_faults(root)


def _tree_faults(root: exp.Expression) -> Iterator[str]:
    from sqlglot import exp

    rejected: tuple[tuple[tuple[type[Any], ...], str], ...] = (
        ((exp.Query, exp.Table, exp.Values, exp.From), "subqueries are not allowed"),
        ((exp.Window,), "it reads other rows, and a sync reads only the rows that changed"),
        ((exp.Aliases,), "an expression defines one column, so it has one name"),
        ((exp.Placeholder, exp.Parameter, exp.SessionParameter), "parameters are not allowed"),
        ((exp.Command, exp.DDL, exp.DML), "commands are not allowed"),
        ((exp.Explode, exp.Unnest, exp.UDTF), "it returns several rows for one"),
    )
    for node in root.walk():
        for node_types, reason in rejected:
            if isinstance(node, node_types):
                yield reason
        # The current time and the user are also keywords, without a parenthesis.
        if type(node).__name__.startswith(("Current", "Local", "SessionUser")):
            yield CHANGING
        if isinstance(node, exp.Alias) and node is not root:
            yield "a name (AS …) is allowed only at the end of the expression"


def _output_columns(root: exp.Expression, columns: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the names of the columns of an expression, each with the column it copies, or None."""
    from sqlglot import exp

    unaliased = root.this if isinstance(root, exp.Alias) else root
    is_column = (
        isinstance(unaliased, exp.Column) and not unaliased.table and not isinstance(unaliased.this, exp.Star)
    )
    if isinstance(root, exp.Star):
        excluded = {
            column.name.lower() for column in root.args.get("except_") or root.args.get("except") or ()
        }
        yield from ((name, name) for name in columns if name.lower() not in excluded)
    elif is_column or isinstance(root, exp.Alias):
        yield root.alias_or_name, unaliased.name if is_column else None


def _names_in(root: exp.Expression, columns: Sequence[str]) -> set[str]:
    """Return all identifiers in an expression in lower case: names of columns and of struct fields."""
    from sqlglot import exp

    stars = {name.lower() for name in columns} if root.find(exp.Star) else set()
    return stars | {node.name.lower() for node in root.find_all(exp.Identifier)}


def _is_name(token: Any) -> bool:
    return _is_quoted(token) or (token.text.replace("_", "a").isalnum() and not token.text[0].isdigit())


def _is_quoted(token: Any) -> bool:
    return token.token_type.name in ("IDENTIFIER", "STRING")


def _syntax_message(error: Any) -> str:
    fault = error.errors[0] if error.errors else {}
    line, column = fault.get("line", 1), fault.get("col", 0)
    if line == 1:
        column = max(column - len(SELECT), 0)
    near = fault.get("highlight") or "its end"
    return (
        f"it is not Spark SQL: {fault.get('description', 'syntax error')} near {near!r} (character {column})"
    )


def _shortened(expression: str) -> str:
    return expression if len(expression) <= 60 else f"{expression[:57]}..."
