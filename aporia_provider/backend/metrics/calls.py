"""Registry methods for metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.metrics import MetricsQuery

if TYPE_CHECKING:
    from aporia_provider.metric_results import RangeResults


class Metrics(RegistryBase):
    """Registry methods for metrics."""

    def query_metrics(self, query: MetricsQuery) -> list[RangeResults]:
        """
        Compute metrics from the stored states; no data is read.

        :param query: The query.
        :return: One item for each time range, in chronological order.
        :raises aporia_provider.errors.NotFoundError: if there is no such model.
        """
        from aporia_provider.backend.metrics.model_states import ModelStates
        from aporia_provider.backend.metrics.query_execution import execute_query

        MetricsQuery.check_type(query)
        with self.database.read_transaction() as session:
            return execute_query(ModelStates(session, self.environment, query.model_id), query)
