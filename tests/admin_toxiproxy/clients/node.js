// Drives the API with toxiproxy-node-client: node.js IP PORT UPSTREAM.
const assert = require("assert");
const { Toxiproxy } = require("toxiproxy-node-client");

const [ip, port, upstream] = process.argv.slice(2);

async function main() {
  const server = new Toxiproxy(`http://${ip}:${port}`);
  const proxy = await server.createProxy({ name: "n", listen: `${ip}:22221`, upstream });
  assert.deepEqual([proxy.listen, proxy.upstream, proxy.enabled], [`${ip}:22221`, upstream, true]);
  const populated = await server.populate([{ name: "m", listen: "localhost:0", upstream }]);
  assert.deepEqual(Object.keys(populated), ["m"]);

  const attributes = { latency: 1000, jitter: 100 };
  const body = { name: "", type: "latency", stream: "downstream", toxicity: 1, attributes };
  const toxic = await proxy.addToxic(body);
  const changed = await toxic.update({ attributes: { latency: 500, jitter: 50 }, toxicity: 0.9 });
  const name = "latency_downstream";
  assert.deepEqual(changed.toJson(), { ...body, name, toxicity: 0.9, attributes: { latency: 500, jitter: 50 } });
  await assert.rejects(proxy.addToxic(body));
  await toxic.remove();
  await assert.rejects(proxy.getToxic(name));

  const off = await proxy.update({ enabled: false, listen: proxy.listen, upstream });
  assert.equal(off.enabled, false);
  await assert.rejects(server.createProxy({ name: "n", listen: "localhost:0", upstream }));
  await server.reset();
  assert.equal((await server.get("n")).enabled, true);
  for (const each of Object.values(await server.getAll())) {
    await each.remove();
  }
  await assert.rejects(server.get("n"));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
