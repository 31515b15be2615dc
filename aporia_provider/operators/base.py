"""What the operators share: rendering inside the vocabulary, and which errors are worth a retry."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import BaseOperator

from aporia_provider import assets
from aporia_provider.errors import AporiaError, TransientError
from aporia_provider.vocabulary import Vocabulary

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

    from aporia_provider.hooks.aporia import AporiaHook


class VocabularyRendering(BaseOperator):
    """Renders inside the words of the vocabulary, on a copy: tasks often share one data source."""

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render ``content``, a word of the vocabulary on a copy that is checked afterwards."""
        if not isinstance(content, Vocabulary):
            return super().render_template(content, context, jinja_env, seen_oids)
        copy = content.model_copy()
        # The copies are short-lived, so their ids may come again: the caller's set must not remember them.
        super().render_template(copy, context, jinja_env, set())
        return copy.checked()

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Render the templates; a value that is refused then fails the task at once."""
        with permanent_errors_fail_at_once():
            super().render_template_fields(context, jinja_env)


class AporiaOperator(VocabularyRendering):
    """
    Base of the operators.

    :param aporia_conn_id: Connection to the server; without one, the embedded backend answers. See
        :class:`~aporia_provider.hooks.aporia.AporiaHook`.
    :param multiple_outputs: Whether each entry of the return value is an XCom of its own as well, so that a
        downstream task can be given ``create.output["version_id"]``.
    """

    template_fields: Collection[str] = ("aporia_conn_id",)

    def __init__(
        self, *, aporia_conn_id: str = "aporia_default", multiple_outputs: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(multiple_outputs=multiple_outputs, **kwargs)
        self.aporia_conn_id = aporia_conn_id

    @cached_property
    def aporia_hook(self) -> AporiaHook:
        """Hook to the API."""
        from aporia_provider.hooks.aporia import AporiaHook

        return AporiaHook(self.aporia_conn_id)


class VersionOperator(AporiaOperator):
    """
    Base of the operators that emit an asset event on a model version.

    :param model_id: The model.
    :param model_version: The version.
    """

    template_fields = (*AporiaOperator.template_fields, "model_id", "model_version")

    def __init__(self, *, model_id: str, model_version: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.model_version = model_version
        self.environment: str | None = None
        self.server_url: str | None = None
        self.table_uri: str | None = None
        self._alias = assets.model_alias(str(model_id))
        self.outlets = [*self.outlets, self._alias]

    def emit(self, context: Context, environment: str, **extra: Any) -> None:
        """Add an asset event on the version, with ``extra`` beside its model and version."""
        self.environment = environment
        self.server_url = self.aporia_hook.server_url()
        known = {"model_id": self.model_id, "model_version": self.model_version, **extra}
        asset = assets.create_asset(
            environment=environment, model_id=self.model_id, model_version=self.model_version
        )
        # A test of a user's own may execute the operator without a context.
        if "outlet_events" in context:
            context["outlet_events"][self._alias].add(asset, extra=known)


@contextmanager
def permanent_errors_fail_at_once() -> Iterator[None]:
    """
    Let only transient errors be retried.

    :raises airflow.sdk.exceptions.AirflowFailException: for every other error of ours, with its message.
    """
    try:
        yield
    except TransientError:
        raise
    except AporiaError as error:
        raise AirflowFailException(error.message) from None
