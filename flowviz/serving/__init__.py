"""Serving: the ``flowviz`` command, and Voila and JupyterLab with our configuration."""
