"""Charts of the views: Vega-Lite specifications and their SVG."""
