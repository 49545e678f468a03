"""Known bugs put back, one at a time: each module lists pairs of a mutation and a family.

Every mutation is a mistake that was found in a published flow library, or the slip next to it.
"""
