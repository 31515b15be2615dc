"""Rules that turn metrics and states into verdicts, with a promised rate of false alarms."""
