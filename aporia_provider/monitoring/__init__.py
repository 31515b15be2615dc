"""What tables are like: additive states made from their rows, and the metrics computed from those."""
