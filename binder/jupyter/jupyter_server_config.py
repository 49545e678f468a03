from flowviz.serving import hosted

hosted.server(get_config())  # noqa: F821
