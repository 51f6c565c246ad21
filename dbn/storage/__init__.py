"""Plain data and arrays in a file, without pickle; no class of the package is known."""
