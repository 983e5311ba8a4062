/** Joins hosts through a router: host k gets 198.18.k.2/24 and fd00:ff:k::2/64 on `ul0`; no multicast passes between them. */
import { Host } from "../lib/host.ts";

/** Makes the router; its port to host k is `pk`, as on the bridge of the flat underlay. */
export async function routedUnderlay(hosts: readonly Host[], mtu = 1500): Promise<Host> {
  const router = await Host.make("underlay");
  await router.must(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
  for (const [index, host] of hosts.entries()) {
    const k = index + 1;
    const link = `ip link add p${k} mtu ${mtu} type veth peer name ul0 mtu ${mtu} netns ${host.pid}`;
    await router.must(link.split(" "));
    // An address that outlives a port that is down: the test that heals expects the same underlay as before.
    await router.must(["sysctl", "-qw", `net.ipv6.conf.p${k}.keep_addr_on_down=1`]);
    await router.must([
      "sh",
      "-ec",
      `
      ip addr add 198.18.${k}.1/24 dev p${k}
      ip addr add fd00:ff:${k}::1/64 dev p${k} nodad
      ip link set p${k} up`,
    ]);
    await host.must([
      "sh",
      "-ec",
      `
      ip addr add 198.18.${k}.2/24 dev ul0
      ip addr add fd00:ff:${k}::2/64 dev ul0 nodad
      ip link set ul0 up
      ip route add default via 198.18.${k}.1 dev ul0
      ip -6 route add default via fd00:ff:${k}::1 dev ul0
      sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`,
    ]);
  }
  return router;
}
