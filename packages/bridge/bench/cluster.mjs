// What a cluster of N servers would carry, by simulation from the CPU time that run.mjs measures.
//
//   node packages/bridge/bench/cluster.mjs SERVER_US ROUTE_US BRIDGE_US [SESSIONS]
//
// SERVER_US: CPU µs of a server for a message that it takes from a bridge and gives to another one. ROUTE_US: those that a
// route adds, on both servers together. BRIDGE_US: those of one bridge. Each session has one message a second; bridges are
// connected to servers at random. The most loaded server is the limit, with one CPU for each server and each bridge.
const [serverUs, routeUs, bridgeUs, sessions = 100_000] = process.argv.slice(2).map(Number);
if (!(serverUs > 0 && routeUs >= 0 && bridgeUs > 0)) {
  console.error('usage: cluster.mjs SERVER_US ROUTE_US BRIDGE_US [SESSIONS]');
  process.exit(2);
}

/** A generator with a seed, so that each run prints the same (mulberry32). */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function simulate(servers, bridges) {
  const random = generator(servers);
  const pick = (count) => Math.floor(random() * count);
  const homes = Array.from({ length: 2 * bridges }, () => pick(servers));
  const busy = new Float64Array(servers);
  const work = new Float64Array(2 * bridges);
  for (let i = 0; i < sessions; i++) {
    const joining = pick(bridges);
    const serving = bridges + pick(bridges);
    const [from, to] = [homes[joining], homes[serving]];
    work[joining] += bridgeUs;
    work[serving] += bridgeUs;
    const extra = from === to ? 0 : routeUs;
    busy[from] += (serverUs + extra) / 2;
    busy[to] += (serverUs + extra) / 2;
  }
  // As much faster as the most loaded process allows.
  return (sessions * 1e6) / Math.max(...busy, ...work);
}

const rounded = (value) => Math.round(value / 100) * 100;
console.log('| servers | bridges on each side | messages/s, simulated | messages/s, even load |');
console.log('| --: | --: | --: | --: |');
for (const servers of [1, 3, 5, 10, 20]) {
  // As many bridges as keep the servers busy, and half as many again for the uneven load.
  const even = (servers * 1e6) / (serverUs + (routeUs * (servers - 1)) / servers);
  const bridges = Math.ceil((1.5 * even * bridgeUs) / 1e6);
  console.log(`| ${servers} | ${bridges} | ${rounded(simulate(servers, bridges))} | ${rounded(even)} |`);
}
