"""
Performance of binary models estimated without labels, from the scores of all rows and a calibration.

The share of positive labels at each score is estimated from the labelled rows of a baseline. The estimates
are correct if this share has not changed, whatever the distribution of the scores is.
"""
