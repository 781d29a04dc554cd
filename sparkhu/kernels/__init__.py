"""Inner loops compiled to machine code: arrays in, arrays out, no other thread held up while they run.

The modules here import numba, which takes a good part of a second: import them inside the function that uses them.
"""
