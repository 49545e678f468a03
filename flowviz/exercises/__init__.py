"""Exercises of the lessons: predictions to commit to, and checks that say why.

>>> from flowviz.exercises import check, predict
>>> predict("Which is larger?", ["KL(p‖q)", "KL(q‖p)", "It depends"], "It depends", "Neither …")
>>> check("forward_kl", my_loss)  # ✓ or ✗, and the reason
"""

from __future__ import annotations

from flowviz.exercises.predict import Prediction, predict
from flowviz.exercises.registry import check, names
from flowviz.exercises.result import Result

__all__ = ["Prediction", "Result", "check", "names", "predict"]
