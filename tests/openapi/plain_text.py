"""Loaded by schemathesis, which checks only JSON and YAML against their schemas by itself."""

import schemathesis


@schemathesis.deserializer("text/plain")
def plain_text(_context, response):
    return response.text
