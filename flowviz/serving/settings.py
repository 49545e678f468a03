"""What Voila is told of our pages, in a server of our own and in a notebook server alike."""

from __future__ import annotations

from typing import Any

from flowviz.serving import bundle, exporter, paths


def pages(c: Any, template: str, home: str, theme: str = "auto") -> None:
    """Have notebooks shown as our pages; see the comments for what each line prevents.

    Args:
        c: the configuration.
        template: Voila's name of the template.
        home: where the dashboard is, below the server's base URL.
        theme: "light", "dark", or "auto" for the browser's.
    """
    exporter.install()
    c.VoilaConfiguration.template = template
    c.VoilaConfiguration.theme = "light"  # the base that our page's own two themes restyle
    # Voila writes ?theme= and ?template= into the page as they come.
    c.VoilaConfiguration.allow_theme_override = "NO"
    c.VoilaConfiguration.allow_template_override = "NO"
    # The next lesson is asked for by a page: to read them all would take a second of the start.
    ours = {"theme": theme, "home": home, "lesson_after": paths.lesson_after}
    c.VoilaConfiguration.resources = {"flowviz": ours}
    c.VoilaConfiguration.strip_sources = True
    c.VoilaConfiguration.show_tracebacks = False
    c.VoilaConfiguration.page_config_hook = bundle.announce
    # What else is installed would be fetched and run before the first picture.
    c.VoilaConfiguration.extension_allowlist = list(bundle.EXTENSIONS)
    c.VoilaExecutor.cell_error_instruction = "What went wrong is in the server's log."
