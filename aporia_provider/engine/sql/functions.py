"""
Spark SQL functions that the expressions of a data source may call, and reasons why others may not.

Allowed functions are deterministic and depend only on the row. Unlisted functions are rejected as well, since
functions of later engines are not known to be safe.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALLOWED = _names(
    """
    array array_append array_compact array_contains array_distinct array_except array_insert
    array_intersect array_join array_max array_min array_position array_prepend array_remove array_repeat
    array_size array_sort array_to_vector array_union arrays_overlap arrays_zip flatten get sequence slice
    sort_array vector_to_array

    aggregate cardinality concat element_at exists filter forall map_filter map_zip_with reduce reverse
    size transform transform_keys transform_values try_element_at zip_with

    bit_count bit_get getbit shiftleft shiftright shiftrightunsigned

    coalesce decode if ifnull iff nanvl nullif nullifzero nvl nvl2 zeroifnull

    bigint binary boolean cast date decimal double float int smallint string timestamp tinyint try_cast

    add_months convert_timezone date_add date_diff
    date_format date_from_unix_date date_part date_sub date_trunc dateadd datediff datepart day dayname
    dayofmonth dayofweek dayofyear extract from_unixtime from_utc_timestamp hour last_day
    make_date make_dt_interval make_interval make_timestamp make_timestamp_ltz make_timestamp_ntz
    make_ym_interval minute month monthname months_between next_day quarter second timestamp_micros
    timestamp_millis timestamp_seconds timestampadd timestampdiff to_date to_timestamp to_timestamp_ltz
    to_timestamp_ntz to_unix_timestamp to_utc_timestamp trunc try_make_interval try_make_timestamp
    try_to_date try_to_timestamp unix_date unix_micros unix_millis unix_seconds unix_timestamp weekday
    weekofyear year

    crc32 hash md5 sha sha1 sha2 xxhash64

    from_csv from_json get_json_object json_array_length json_object_keys to_csv to_json is_variant_null
    parse_json to_variant_object try_parse_json try_variant_get variant_get

    map map_concat map_contains_key map_entries map_from_arrays map_from_entries map_keys map_values
    str_to_map

    abs acos acosh asin asinh atan atan2 atanh bin bround cbrt ceil ceiling conv cos cosh cot csc degrees
    e exp expm1 factorial floor greatest hex hypot least ln log log10 log1p log2 mod negative pi pmod
    positive pow power radians rint round sec sign signum sin sinh sqrt tan tanh try_add try_divide
    try_mod try_multiply try_subtract unhex width_bucket

    equal_null ilike isnan isnotnull isnull like regexp regexp_like rlike typeof

    ascii base64 bit_length btrim char char_length character_length chr concat_ws contains elt encode
    endswith find_in_set format_number format_string initcap instr is_valid_utf8 lcase left len length
    levenshtein locate lower lpad ltrim luhn_check make_valid_utf8 mask octet_length overlay position
    printf regexp_count regexp_extract regexp_extract_all regexp_instr regexp_replace regexp_substr repeat
    replace right rpad rtrim sentences soundex space split split_part startswith substr substring
    substring_index to_binary to_char to_number to_varchar translate trim try_to_binary try_to_number
    try_validate_utf8 ucase unbase64 upper validate_utf8

    named_struct struct

    parse_url try_parse_url try_url_decode url_decode url_encode
    """
)

# Keywords that may precede a parenthesis.
SYNTAX = _names(
    """
    and or not in when then else case between like ilike rlike regexp from is div escape both leading
    trailing as dec numeric varchar distinct for
    """
)

CHANGING = "it returns a different value at each read"

_REASONS = {
    "it aggregates several rows, and a data source keeps its rows": """
        any any_value approx_count_distinct approx_percentile array_agg avg bit_and bit_or bit_xor
        bool_and bool_or collect_list collect_set corr count count_distinct count_if covar_pop covar_samp
        every first first_value grouping kurtosis last last_value listagg max max_by mean median min
        min_by mode percentile percentile_approx product skewness some std stddev stddev_pop stddev_samp
        string_agg sum try_avg try_sum var_pop var_samp variance""",
    "it reads other rows, and a sync reads only the rows that changed": """
        cume_dist dense_rank lag lead nth_value ntile over percent_rank rank row_number session_window
        window""",
    "it returns several rows for one, so that the id does not identify them": """
        explode explode_outer inline inline_outer json_tuple posexplode posexplode_outer stack
        variant_explode variant_explode_outer""",
    CHANGING: """
        curdate current_date current_time current_timestamp current_timezone localtimestamp
        monotonically_increasing_id now rand randn random randstr shuffle spark_partition_id uniform uuid""",
    "it depends on where the row is stored, which compaction changes": """
        input_file_block_length input_file_block_start input_file_name""",
    "it runs code or accesses more than the row": """
        ai_classify ai_extract ai_gen ai_query call_function cloud_files_state http_request identifier
        java_method read_files read_kafka reflect secret sql_keywords try_reflect try_secret""",
    "it fails the read instead of returning a value": "assert_true raise_error",
}
_REASON_OF = {name: reason for reason, names in _REASONS.items() for name in _names(names)}


def rejection_reason(name: str) -> str | None:
    """Return why an expression may not call function ``name``; None if it may."""
    lower = name.lower()
    if lower in ALLOWED:
        return None
    return _REASON_OF.get(lower, "it is not one of the functions known to be safe")
