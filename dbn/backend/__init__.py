"""The array library in use, random numbers, and the flat parameter buffer."""
