"""Numerical building blocks shared by the families."""
