"""What the operators share: rendering inside the vocabulary, and which errors are worth a retry."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import BaseOperator

from aporia_provider import assets
from aporia_provider.base_model import Vocabulary
from aporia_provider.data_sources import DataSource, as_data_source
from aporia_provider.errors import AporiaError, TransientError
from aporia_provider.operators.parameters import check_parameters
from aporia_provider.operators.protocol_parameters import Source, in_vocabulary

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from aporia_provider.datasets import Role
    from aporia_provider.hooks.aporia import AporiaHook


class VocabularyRendering(BaseOperator):
    """Renders inside the words of the vocabulary, on a copy: tasks often share one data source."""

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Prepare mapped tasks; data sources among what they have in common are stored without secrets."""
        sources = {name for name in kwargs if isinstance(getattr(cls, name, None), Source)}
        return super().partial(
            **{name: in_vocabulary(value) if name in sources else value for name, value in kwargs.items()}
        )

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

    def _do_render_template_fields(self, *args: Any, **kwargs: Any) -> None:
        # Airflow calls this of a mapped task as well, and render_template_fields only of one that is not.
        with permanent_errors_fail_at_once():
            super()._do_render_template_fields(*args, **kwargs)


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

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """
        Set parameters that all mapped tasks have in common.

        :raises aporia_provider.errors.ValidationError: if one of them is wrong, naming every fault.
        """
        check_parameters(cls, kwargs)
        return super().partial(**kwargs)

    @cached_property
    def aporia_hook(self) -> AporiaHook:
        """Hook to the API."""
        from aporia_provider.hooks.aporia import AporiaHook

        return AporiaHook(self.aporia_conn_id)


class VersionOperator(AporiaOperator):
    """
    Base of the operators that emit an asset event on a model version or one of its datasets.

    :param model_id: The model.
    :param model_version: The version.
    """

    event: ClassVar[assets.EventKind]

    template_fields = (*AporiaOperator.template_fields, "model_id", "model_version")

    def __init__(self, *, model_id: str, model_version: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.model_version = model_version
        self.environment: str | None = None
        self.server_url: str | None = None
        self.table_uri: str | None = None
        self.outlets = [*self.outlets, *assets.aliases_of(self.event, str(model_id))]

    def find_links(self, source: DataSource | Mapping[str, Any] | None) -> None:
        """
        Remember what the links of the task lead to, so that they do whatever fails later.

        :param source: Data source that the task is about, if there is one.
        """
        with permanent_errors_fail_at_once():
            if source is not None:
                self.table_uri = getattr(as_data_source(source), "uri", None)
            self.server_url = self.aporia_hook.server_url()

    def emit(self, context: Context, environment: str, *, role: Role | None = None, **extra: Any) -> None:
        """
        Add an asset event, through the aliases of all models and of this one.

        :param context: The context of the task.
        :param environment: Environment of the model.
        :param role: Role of the dataset that the event is about; without, it is about the version.
        :param extra: What the event tells besides its kind and its subject.
        """
        self.environment = environment
        known = {"model_id": self.model_id, "model_version": self.model_version}
        asset = assets.create_asset(environment, self.model_id, self.model_version, role)
        told = {"event": self.event.value, "environment": environment, **known, **extra}
        aliases = assets.aliases_of(self.event, self.model_id)
        # Airflow keeps the events of those aliases only that are outlets when the task ends, and the alias of
        # a templated id is not known before. What several aliases have in common becomes one event.
        self.outlets = [*self.outlets, *(alias for alias in aliases if alias not in self.outlets)]
        # A test of a user's own may execute the operator without a context.
        if "outlet_events" in context:
            for alias in aliases:
                context["outlet_events"][alias].add(asset, extra=told)


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
