# Drives the API with toxiproxy-python: python.py IP PORT UPSTREAM.
import sys

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, ProxyExists

ip, port, upstream = sys.argv[1:]
server = Toxiproxy()
server.update_api_consumer(ip, int(port))


def fails(error, call):
    try:
        call()
    except error:
        return
    raise AssertionError(error)


assert server.running()
assert server.version() == b'{"version": "2.12.0"}\n'
server.populate([
    {"name": "a", "upstream": upstream, "listen": ip + ":22220"},
    {"name": "b", "upstream": upstream},
])
a = server.get_proxy("a")
assert (a.listen, a.upstream, a.enabled) == (ip + ":22220", upstream, True)
assert not server.get_proxy("b").listen.endswith(":0")
fails(ProxyExists, lambda: server.create(upstream, "a"))

with a.down():
    assert not server.get_proxy("a").enabled
assert server.get_proxy("a").enabled

a.add_toxic(type="latency", attributes={"latency": 100}, toxicity=0.5)
toxic = a.get_toxic("latency_downstream")
assert (toxic.attributes, toxic.toxicity) == ({"latency": 100, "jitter": 0}, 0.5)
fails(ProxyExists, lambda: a.add_toxic(type="latency"))
fails(InvalidToxic, lambda: a.add_toxic(type="down"))
a.destroy_toxic("latency_downstream")
assert a.toxics() == {}

a.add_toxic(type="noop")
a.disable()
server.reset()
assert server.get_proxy("a").enabled and a.toxics() == {}
server.destroy_all()
assert server.proxies() == {}
