"""Data in files of many kinds, read without trusting who made them.

Whoever made a file, it costs memory in proportion to its size or to what it is read as,
nothing in it is unpickled or run, and what is wrong with it raises a ValueError. So
files are looked through first, piece by piece, and set aside when nothing is wrong.
"""
