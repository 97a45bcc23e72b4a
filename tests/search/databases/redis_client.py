# Increments a counter through the proxy. The bug: the driver sends a command again whose reply was lost.
import os
import sys

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

direct = redis.Redis(host=os.environ["DATABASE"], port=6379)
direct.set("visits", 0)
host, port = os.environ["CHAOS_PROXY_DB_ADDR"].rsplit(":", 1)
client = redis.Redis(host=host, port=int(port), retry=Retry(NoBackoff(), 3), socket_timeout=2)
client.incr("visits")
visits = int(direct.get("visits"))
sys.exit(0 if visits == 1 else f"{visits} visits were counted")
