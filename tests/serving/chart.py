"""What Zero to JupyterHub's Helm chart, version 4, lets the values be that we write.

Each name and type is as the chart's ``values.schema.yaml`` has it, which allows no other names in
these places; of what we do not write it says nothing. To write more, look it up there and add it.
"""

from __future__ import annotations

from typing import Any


def only(**properties: Any) -> dict[str, Any]:
    """An object with no other properties than these."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


ANY = {"type": "object"}
SWITCH = {"type": "boolean"}
TEXT = {"type": ["string", "null"]}
WHOLE = {"type": "integer"}
SECONDS = {"type": ["integer", "null"]}
CORES = {"type": ["number", "null"]}
SIZE = {"type": ["number", "string", "null"]}
IMAGE = only(name={"type": "string"}, tag={"type": "string"}) | {"required": ["name", "tag"]}

SCHEMA = {"$schema": "http://json-schema.org/draft-07/schema#"} | only(
    hub=only(config=ANY),
    singleuser=only(
        image=IMAGE,
        cmd={"type": ["array", "string", "null"]},
        defaultUrl=TEXT,
        startTimeout=SECONDS,
        memory=only(guarantee=SIZE, limit=SIZE),
        cpu=only(guarantee=CORES, limit=CORES),
        storage=only(
            type={"enum": ["dynamic", "static", "none"]},
            capacity=TEXT,
            homeMountPath={"type": "string"},
        ),
    ),
    scheduling=only(
        userScheduler=only(enabled=SWITCH),
        podPriority=only(enabled=SWITCH),
        userPlaceholder=only(enabled=SWITCH, replicas=WHOLE),
    ),
    prePuller=only(hook=only(enabled=SWITCH), continuous=only(enabled=SWITCH)),
    cull=only(enabled=SWITCH, timeout=SECONDS, every=SECONDS, maxAge=SECONDS),
)
