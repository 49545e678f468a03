from flowviz.serving import hosted

hosted.voila(get_config())  # type: ignore[name-defined]  # noqa: F821
