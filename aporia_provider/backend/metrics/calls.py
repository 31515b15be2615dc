"""The call that answers questions about metrics."""

from __future__ import annotations

from typing import Any

from aporia_provider.backend.registration.scope import Scope
from aporia_provider.metrics import MetricsQuery


class Metrics(Scope):
    """The calls on metrics."""

    def query_metrics(self, query: MetricsQuery) -> list[dict[str, Any]]:
        """
        Answer questions about metrics from what syncs have stored; no data is read.

        :param query: The questions.
        :return: One item for each range of time, in order: its ``time_range`` (``start`` and ``end``, on the
            edges of buckets; None for all rows) and its ``metrics``, each with the ``id`` of the question,
            the ``error`` if it cannot be answered, ``segment``, and what
            :class:`~aporia_provider.monitoring.result.Answer` has.
        :raises aporia_provider.errors.NotFoundError: if there is no such model.
        """
        from aporia_provider.backend.metrics.answers import answer_all
        from aporia_provider.backend.metrics.stored_states import Sources

        with self.database.reading() as session:
            return answer_all(Sources(session, self.environment, query.model_id), query)
