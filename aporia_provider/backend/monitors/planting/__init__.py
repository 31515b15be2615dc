"""Shifts that are planted into the states of a model, to see after how many windows a monitor finds them."""
