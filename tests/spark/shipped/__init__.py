"""A package that no cluster has installed, in modules that use each other as ours do."""
