// Loaded before the suite: a server that names no address listens on 127.0.0.1, and on no network of this machine.
import assert from "node:assert";
import dns from "node:dns";
import net from "node:net";

const LOOPBACK = { address: "127.0.0.1", family: 4 };
const { lookup } = dns;
const { listen } = net.Server.prototype;

// Node looks up the address to listen on, also where it is none to be looked up, and takes a turn of its loop for that; the suite
// asks for its port at once.
dns.lookup = (host, ...rest) => {
  const [options, answer] = rest;
  return host === LOOPBACK.address && options?.all ? answer(null, [LOOPBACK]) : lookup(host, ...rest);
};

net.Server.prototype.listen = function (port, ...rest) {
  assert(typeof port === "number", "the suite listens on something else than a port");
  const host = typeof rest[0] === "string" ? [] : [LOOPBACK.address];
  listen.call(this, port, ...host, ...rest);
  assert.strictEqual(this.address()?.address, LOOPBACK.address, "the suite listens beyond loopback");
  return this;
};
