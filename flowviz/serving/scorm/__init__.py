"""The panels and the lessons as a SCORM 1.2 package, which an LMS imports."""

from flowviz.serving.scorm.package import write

__all__ = ["write"]
