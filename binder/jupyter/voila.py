from flowviz.serving import hosted

hosted.voila(get_config())  # noqa: F821
