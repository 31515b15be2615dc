"""Base classes of the operators: template rendering of data sources and schemas, and error handling."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException

from aporia_provider import assets
from aporia_provider.base_model import PublicModel
from aporia_provider.data_sources import DataSource, as_data_source
from aporia_provider.errors import AporiaError, TransientError
from aporia_provider.operators.parameters import check_parameters
from aporia_provider.operators.protocol_parameters import DataSourceParameter, with_data_sources
from aporia_provider.operators.rendering import CheckedRendering

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from aporia_provider.datasets import Role
    from aporia_provider.hooks.aporia import AporiaHook


MAX_DAYS = 31
"""Maximum number of changed days of a sync for which events are emitted."""


class NestedRenderingMixin(CheckedRendering):
    """
    Operator that renders templates inside data sources and schemas.

    Rendering works on copies, because tasks may share one data source.
    """

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Set parameters that all mapped tasks have in common. Data sources are stored without secrets."""
        sources = {name for name in kwargs if isinstance(getattr(cls, name, None), DataSourceParameter)}
        return super().partial(
            **{name: with_data_sources(value) if name in sources else value for name, value in kwargs.items()}
        )

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """
        Render ``content``. Data sources and schemas are rendered on a copy, which is validated afterwards.
        """
        if not isinstance(content, PublicModel):
            return super().render_template(content, context, jinja_env, seen_oids)
        copy = content.model_copy()
        # The ids of these short-lived copies may be reused, so they must not enter the caller's set.
        super().render_template(copy, context, jinja_env, set())
        return copy.checked()


class AporiaOperator(NestedRenderingMixin):
    """
    Base class of operators that call the API.

    :param aporia_conn_id: Connection to the server; if it does not exist, the embedded backend is used. See
        :class:`~aporia_provider.hooks.aporia.AporiaHook`.
    :param multiple_outputs: Whether each entry of the return value is also stored as a separate XCom, so that
        a downstream task can use ``create.output["version_id"]``.
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

        :raises aporia_provider.errors.ValidationError: if parameters are invalid; all are listed.
        """
        check_parameters(cls, kwargs)
        return super().partial(**kwargs)

    @cached_property
    def aporia_hook(self) -> AporiaHook:
        """Return the hook for the API."""
        from aporia_provider.hooks.aporia import AporiaHook

        return AporiaHook(self.aporia_conn_id)


class VersionOperator(AporiaOperator):
    """
    Base class of operators that emit an asset event for a model version or one of its datasets.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
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
        self.outlets = [*self.outlets, *assets.event_aliases(self.event, str(model_id))]

    def find_links(self, source: DataSource | Mapping[str, Any] | None) -> None:
        """
        Store the targets of the task's extra links, which are then available even if the task fails.

        :param source: Data source of the task, if there is one.
        """
        with fail_without_retry():
            if source is not None:
                self.table_uri = getattr(as_data_source(source), "uri", None)
            self.server_url = self.aporia_hook.server_url()

    def emit(self, context: Context, environment: str, *, role: Role | None = None, **extra: Any) -> None:
        """
        Emit an asset event, through the aliases of all models and of this model.

        :param context: Context of the task.
        :param environment: Environment of the model.
        :param role: Role of the dataset that the event refers to; None if it refers to the version.
        :param extra: Content of the event in addition to its kind and subject.
        """
        self.environment = environment
        subject = (environment, self.model_id, self.model_version, role)
        emit_event(self, context, self.event, subject, extra)


def emit_event(
    operator: BaseOperator,
    context: Context,
    kind: assets.EventKind,
    subject: tuple[str, str, str, Role | None],
    extra: Mapping[str, Any],
) -> None:
    """
    Emit an asset event, through the aliases of all models and of its model.

    :param operator: Operator that emits it.
    :param context: Context of the task.
    :param kind: Kind of the event.
    :param subject: Environment, id of the model, name of the version and, if the event refers to a dataset,
        its role.
    :param extra: Content of the event in addition to its kind and subject.
    """
    environment, model_id, model_version, role = subject
    asset = assets.create_asset(environment, model_id, model_version, role)
    version_names = {"model_id": model_id, "model_version": model_version}
    event_extra = {"event": kind.value, "environment": environment, **version_names, **extra}
    aliases = assets.event_aliases(kind, model_id)
    # Airflow discards events of aliases that are not outlets when the task ends, and the alias of a
    # templated id is not known earlier. Airflow merges the events of several aliases for one asset.
    operator.outlets = [*operator.outlets, *(alias for alias in aliases if alias not in operator.outlets)]
    # Users' tests may execute the operator without a context.
    if "outlet_events" in context:
        for alias in aliases:
            context["outlet_events"][alias].add(asset, extra=event_extra)


def emit_days(
    operator: BaseOperator, context: Context, environment: str, model_id: str, days: Sequence[str]
) -> None:
    """
    Emit an event for each changed day of a model; see :func:`~aporia_provider.assets.changed_days`.

    :param operator: Operator that emits them.
    :param context: Context of the task.
    :param environment: Environment of the model.
    :param model_id: Id of the model.
    :param days: The days, in chronological order. Events are emitted for the latest ones only, up to
        ``MAX_DAYS``, and the log contains the number of the others.
    """
    asset = assets.changed_days(model_id, environment)
    # Users' tests may execute the operator without a context.
    if not days or "outlet_events" not in context:
        return
    events: Any = context["outlet_events"][asset]
    # Airflow 3.1 and 3.2 have no partitions.
    if not hasattr(events, "add_partitions"):
        return
    if len(days) > MAX_DAYS:
        operator.log.info(
            "%d days have changed; events are emitted for the latest %d of them", len(days), MAX_DAYS
        )
    if asset not in operator.outlets:
        operator.outlets = [*operator.outlets, asset]
    events.extra = {"event": "changed_days", "environment": environment, "model_id": model_id}
    events.add_partitions(list(days[-MAX_DAYS:]))


@contextmanager
def fail_without_retry() -> Iterator[None]:
    """
    Fail the task without retries on errors of the provider that are not transient.

    :raises airflow.sdk.exceptions.AirflowFailException: for every
        :class:`~aporia_provider.errors.AporiaError` that is not a
        :class:`~aporia_provider.errors.TransientError`, with the same message.
    """
    try:
        yield
    except TransientError:
        raise
    except AporiaError as error:
        raise AirflowFailException(error.message) from None
