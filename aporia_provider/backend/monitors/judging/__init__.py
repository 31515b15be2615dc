"""Rules of monitors: verdicts on the fields of a version in a window."""
