"""Flows as programs."""
