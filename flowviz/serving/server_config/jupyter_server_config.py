from flowviz.serving import hosted

hosted.server(get_config())  # type: ignore[name-defined]  # noqa: F821
