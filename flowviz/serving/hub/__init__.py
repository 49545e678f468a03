"""Many machines: flowviz in a JupyterHub, where each user has a notebook server of their own.

The other shape that works, Voila alone for each user behind ``jupyter-standaloneproxy``, is not
written: it gives no notebooks to work in, and it is one process more for each user, which must be
told to report every activity, or the Hub never ends an idle server.
"""
