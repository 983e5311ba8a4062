/** The options of a vxlan as the original program spells them: strings in, the kernel's attributes out. */
import * as z from "zod/mini";
import { ip, mac, parsed } from "../cni/schema.ts";
import type { Ip } from "../ip.ts";
import type { VxlanData } from "../netlink/format.ts";

function number(least: number, most: number) {
  const wanted = `a string with a whole number from ${least} to ${most}`;
  return z.optional(parsed(wanted, (text) => {
    const value = Number(text);
    return /^\d{1,10}$/.test(text) && value >= least && value <= most ? value : undefined;
  }));
}

function switched() {
  return z.optional(
    parsed(`"true" or "false"`, (text) => text === "true" ? true : text === "false" ? false : undefined),
  );
}

const PORT = 65535;
const U32 = 4294967295;

export const optionsSchema = z.strictObject({
  vxlanhardwareaddr: z.optional(mac()),
  vxlantxqlen: number(0, U32),
  vtepdev: z.optional(parsed("the name of a network device", (name) => /^[^/\s]{1,15}$/.test(name) ? name : undefined)),
  srcaddr: z.optional(ip()),
  group: z.optional(ip()),
  ttl: number(0, 255),
  tos: number(0, 255),
  learning: switched(),
  proxy: switched(),
  rsc: switched(),
  l2miss: switched(),
  l3miss: switched(),
  noage: switched(),
  gbp: switched(),
  age: number(0, U32),
  limit: number(0, U32),
  port: number(1, PORT),
  portlow: number(0, PORT),
  porthigh: number(0, PORT),
}, "an object of options");

export type Options = z.output<typeof optionsSchema>;

/** What is wrong between options, or undefined: key, what was wanted, what was found. */
export function optionsFault(options: Options): { key: string; wanted: string; got: unknown } | undefined {
  const { portlow, porthigh, group, srcaddr, noage, age } = options;
  if ((portlow === undefined) !== (porthigh === undefined)) {
    const [key, other] = portlow === undefined ? ["portlow", "porthigh"] : ["porthigh", "portlow"];
    return { key, wanted: `a value, because ${other} is given`, got: undefined };
  }
  if (portlow !== undefined && porthigh !== undefined && porthigh < portlow) {
    return { key: "porthigh", wanted: `at least portlow (${portlow})`, got: String(porthigh) };
  }
  if (group !== undefined && srcaddr !== undefined && group.version !== srcaddr.version) {
    return {
      key: "srcaddr",
      wanted: `an address of the group's family (IPv${group.version})`,
      got: `IPv${srcaddr.version}`,
    };
  }
  if (noage === true && age !== undefined && age !== 0) {
    return { key: "age", wanted: `nothing, because noage is "true"`, got: String(age) };
  }
  return undefined;
}

/** The family of the underlay: version 6 costs 20 bytes more of every packet. */
export function underlayVersion({ group, srcaddr }: Options): 4 | 6 {
  return (group ?? srcaddr)?.version ?? 4;
}

/** IFLA_VXLAN_* of an id and options; an option that is not given stays undefined and is not sent. `device` is the index of the underlay device. */
export function vxlanData(id: number, options: Options, device: number | undefined): VxlanData {
  const { portlow, porthigh } = options;
  return {
    id,
    ...place("group", options.group),
    ...place("local", options.srcaddr),
    link: device,
    ttl: options.ttl,
    tos: options.tos,
    learning: options.learning,
    proxy: options.proxy,
    rsc: options.rsc,
    l2miss: options.l2miss,
    l3miss: options.l3miss,
    ageing: options.noage === true ? 0 : options.age,
    limit: options.limit,
    port: options.port,
    portRange: portlow === undefined || porthigh === undefined ? undefined : { low: portlow, high: porthigh },
    gbp: options.gbp === true ? true : undefined,
  };
}

function place<K extends "group" | "local">(key: K, address: Ip | undefined): Record<string, Ip> {
  return address === undefined ? {} : { [address.version === 4 ? key : `${key}6`]: address };
}
