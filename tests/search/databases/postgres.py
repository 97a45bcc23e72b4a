# Adds 10 to an account through the proxy. The bug: a transaction whose outcome is unknown is made again.
import os
import sys

import psycopg

direct = f"host={os.environ['DATABASE']} port=5432 user=postgres dbname=postgres sslmode=disable"
host, port = os.environ["CHAOS_PROXY_DB_ADDR"].rsplit(":", 1)
proxied = f"host={host} port={port} user=postgres dbname=postgres sslmode=disable connect_timeout=5"

with psycopg.connect(direct) as database:
    database.execute("CREATE TABLE IF NOT EXISTS account (balance int)")
    database.execute("TRUNCATE account")
    database.execute("INSERT INTO account VALUES (0)")

for attempt in range(3):
    try:
        with psycopg.connect(proxied) as client:
            client.execute("UPDATE account SET balance = balance + 10")
        break
    except psycopg.OperationalError:
        pass

with psycopg.connect(direct) as database:
    balance = database.execute("SELECT balance FROM account").fetchone()[0]
sys.exit(0 if balance == 10 else f"the balance is {balance}")
