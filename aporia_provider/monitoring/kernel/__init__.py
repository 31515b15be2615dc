"""
The kernel: a library in C that computes profiles, used if it was compiled when the package was installed.

Without it, or on the workers of a cluster, numpy computes the same states, equal to the last bit.
"""
