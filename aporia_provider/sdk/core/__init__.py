"""The paths under which scripts import from the platform's SDK."""
