/** What this node holds, in lines and as JSON, on a fake node with containers. */
import { deepEqual, equal, match } from "node:assert/strict";
import { parseIp } from "../../src/ip.ts";
import { announcement } from "../fake/frames.ts";
import { fakeStage } from "../fake/node.ts";
import { addresses } from "../lib/caller.ts";
import { IPAM, netConf, red } from "../lib/config.ts";
import type { Answer } from "../lib/call.ts";
import { operate } from "./operator.ts";

const DUAL = netConf({ vxlans: [red({ cidrs: ["fd00:97:1::/64"] })] });
const LOW = "02:00:00:00:00:01";

const gateways = ({ ips = [] }: Answer) => ips.map(({ gateway, address }) => `${gateway}/${address.split("/")[1]}`);

Deno.test("a node that holds nothing says so", async () => {
  deepEqual(await operate(["status"]), { code: 0, printed: "no network is in use on this node", warned: "" });
  const { code, printed } = await operate(["status", "--json"]);
  deepEqual([code, JSON.parse(printed)], [0, { networks: [] }]);
});

Deno.test("networks, gateways, attachments and their addresses", async () => {
  const stage = fakeStage();
  const [one, two] = [await stage.run("ADD", "c1", { config: DUAL }), await stage.run("ADD", "c2", { config: DUAL })];
  const { code, printed } = await operate(["status"], { world: stage.world });
  equal(code, 0);
  deepEqual(printed.split("\n"), [
    `network red: vx_red, mv_red; gateway ${gateways(one).join(", ")}`,
    `  c1 eth0: ${one.ips?.map(({ address }) => address).join(", ")}`,
    `  c2 eth0: ${two.ips?.map(({ address }) => address).join(", ")}`,
  ]);
  const json = JSON.parse((await operate(["status", "--json"], { world: stage.world })).printed);
  deepEqual(json, {
    networks: [{
      name: "red",
      devices: ["vx_red", "mv_red"],
      gateways: gateways(one),
      attachments: [["c1", one], ["c2", two]].map(([containerId, answer]) => ({
        containerId,
        ifname: "eth0",
        netns: `/run/netns/${containerId}`,
        addresses: (answer as Answer).ips?.map(({ address }) => ({ address })),
      })),
      reservations: [],
    }],
  });
  for (const id of ["c1", "c2"]) await stage.run("DEL", id, { config: DUAL });
  equal((await operate(["status"], { world: stage.world })).printed, "no network is in use on this node");
});

Deno.test("reservations are listed", async () => {
  const stage = fakeStage();
  await stage.run("ADD", "c1", { config: netConf({ ipam: { ...IPAM, reserve: 2 } }) });
  const { code, printed } = await operate(["status"], { world: stage.world });
  equal(code, 0);
  equal(printed.match(/^ {2}reserved: 10\.97\.1\.\d+$/gm)?.length, 2, printed);
  const { networks: [network] } = JSON.parse((await operate(["status", "--json"], { world: stage.world })).printed);
  deepEqual(network.reservations.map(({ ready }: { ready: boolean }) => ready), [true, true]);
});

Deno.test("devices and containers that are gone are no reason to say nothing", async () => {
  const stage = fakeStage();
  const [address] = (await stage.run("ADD", "c1")).ips ?? [];
  await stage.unmount("c1");
  const { printed } = await operate(["status"], { world: stage.world });
  match(printed, new RegExp(`^  c1 eth0: ${address?.address}$`, "m"));
  await stage.ip("link del vx_red");
  const { code, printed: without } = await operate(["status"], { world: stage.world });
  equal(code, 0);
  match(without, /^network red: no devices; gateway none$/m);
});

Deno.test("a conflict ends with 1, names who else has the address, and says which side keeps it", async () => {
  const stage = fakeStage();
  const answer = await stage.run("ADD", "c1");
  const [text = ""] = addresses(answer);
  await stage.ip(`route add ${text} via 192.0.2.7 dev ul0 metric 32`);
  const byRoute = await operate(["status"], { world: stage.world });
  equal(byRoute.code, 1);
  match(byRoute.printed, /10\.97\.1\.\d+\/24 CONFLICT with the node behind 192\.0\.2\.7; this node keeps it$/m);

  const { world } = stage;
  const index = (await stage.link("mv_red"))?.index ?? 0;
  const frame = announcement(parseIp(text) ?? { version: 4, value: 0n }, LOW);
  world.at(world.now() + 10, () => world.kernel.deliver(world.node, index, frame));
  const byHardware = await operate(["status", "--json"], { world });
  equal(byHardware.code, 1);
  deepEqual(JSON.parse(byHardware.printed).networks[0].attachments[0].addresses, [
    { address: `${text}/24`, conflict: `hardware address ${LOW}`, keeps: false },
  ]);
  world.at(world.now() + 10, () => world.kernel.deliver(world.node, index, frame));
  match(
    (await operate(["status"], { world })).printed,
    /the other side keeps it: remove and add this container again$/m,
  );
});
