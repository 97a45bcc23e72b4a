# Drives the API with chaostoolkit-toxiproxy: chaostoolkit.py IP PORT UPSTREAM.
import sys

from chaostoxi.proxy import actions as proxies
from chaostoxi.proxy.probes import proxy_exist
from chaostoxi.toxic import actions as toxics

ip, port, upstream = sys.argv[1:]
upstream_host, upstream_port = upstream.rsplit(":", 1)
server = {"toxiproxy_url": "http://%s:%s" % (ip, port)}

assert proxies.create_proxy("p", upstream_host, int(upstream_port), ip, 0, True, server)
assert proxy_exist("p", server)
assert proxies.modify_proxy("p", "0.0.0.0:0", upstream, configuration=server)
assert proxies.disable_proxy("p", server) and proxies.enable_proxy("p", server)
assert toxics.create_latency_toxic("p", "latency", 100, 10, configuration=server)
assert toxics.create_limiter_toxic("p", "limit", 100, configuration=server)
assert toxics.create_bandwith_degradation_toxic("p", "rate", 100, configuration=server)
assert toxics.create_slow_connection_close_toxic("p", "close", 100, configuration=server)
assert toxics.create_slicer_toxic("p", "slices", 100, 10, 10, configuration=server)
assert toxics.create_toxic("p", "timeout", "timeout", configuration=server)
assert toxics.delete_toxic("p", "latency", server)
assert proxies.reset(server)
proxies.delete_proxy("p", server)
assert not proxy_exist("p", server)
