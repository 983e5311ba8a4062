/** `vxlan-cni status`: what this node holds, and whether somebody else holds it as well. */
import type { Command } from "./command.ts";
import { type AddressView, type NetworkView, viewNode } from "./view.ts";

/** For people, or as JSON; ends with 1 when there is a conflict. */
export const status: Command = {
  options: { json: { type: "boolean", default: false } },
  async run({ values }, operator) {
    const networks = await viewNode(operator);
    operator.print(values.json === true ? JSON.stringify({ networks }, undefined, 2) : describe(networks));
    const addresses = networks.flatMap(({ attachments }) => attachments.flatMap((one) => one.addresses));
    return addresses.some(({ conflict }) => conflict !== undefined) ? 1 : 0;
  },
};

function describe(networks: readonly NetworkView[]): string {
  if (networks.length === 0) return "no network is in use on this node";
  return networks.map(({ name, devices, gateways, attachments, reservations }) =>
    [
      `network ${name}: ${devices.join(", ") || "no devices"}; gateway ${gateways.join(", ") || "none"}`,
      ...attachments.map(({ containerId, ifname, addresses }) =>
        `  ${containerId} ${ifname}: ${addresses.map(describeAddress).join(", ") || "no address yet"}`
      ),
      ...reservations.map(({ address, ready }) => `  reserved: ${address}${ready ? "" : " (spreading)"}`),
    ].join("\n")
  ).join("\n");
}

function describeAddress({ address, conflict, keeps }: AddressView): string {
  if (conflict === undefined) return address;
  const advice = keeps ? "this node keeps it" : "the other side keeps it: remove and add this container again";
  return `${address} CONFLICT with ${conflict}; ${advice}`;
}
