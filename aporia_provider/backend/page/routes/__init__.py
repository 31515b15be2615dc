"""Routes of the page, one module for each view."""
