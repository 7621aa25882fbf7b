"""Inputs changed at random, by the thousand, for code that looks at foreign bytes. `corpus/` is what is changed."""
