"""Schemas of data frames."""

from aporia_provider.sdk.pandas.pandas_utils import infer_schema_from_dataframe, pandas_to_dict

__all__ = ["infer_schema_from_dataframe", "pandas_to_dict"]
