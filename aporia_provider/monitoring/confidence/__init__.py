"""
Confidence intervals, comparisons and detectable differences of metrics, computed from counts and sums.

The intervals are two-sided and account for sampling only: rows are independent draws of one distribution.
"""
