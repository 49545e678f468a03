"""Exercises of the lessons: predictions to commit to, and checks that say why.

>>> from flowviz.exercises import check, predict, predict_drawing, predict_number
>>> predict("Which is larger?", ["KL(p‖q)", "KL(q‖p)", "It depends"], "It depends", "Neither …")
>>> predict_number("How large is KL(N(1, 1) ‖ N(0, 1))?", 0.5, 0.01, "½ of the squared distance.")
>>> check("forward_kl", my_loss)  # ✓ or ✗, and the reason
"""

from __future__ import annotations

from flowviz.exercises.answered import progress
from flowviz.exercises.choice import predict
from flowviz.exercises.drawing import predict_drawing
from flowviz.exercises.grading import grade
from flowviz.exercises.number import predict_number
from flowviz.exercises.prediction import Prediction
from flowviz.exercises.registry import check, names
from flowviz.exercises.result import Result

__all__ = [
    "Prediction",
    "Result",
    "check",
    "grade",
    "names",
    "predict",
    "predict_drawing",
    "predict_number",
    "progress",
]
