/** Configurations for the tests: one network `red`, and what a test wants otherwise. Those that a person should be able to run are files in `fixtures/config`. */

/** An entry of `vxlans`. */
interface Vxlan {
  id: number;
  name: string;
  options?: Record<string, string>;
  [key: string]: unknown;
}

export interface NetConf {
  cniVersion: string;
  name: string;
  type: string;
  ipam?: Record<string, unknown>;
  defaultNetwork?: string;
  vxlans: Vxlan[];
  [key: string]: unknown;
}

/** The underlay of every host of the tests. */
export const OPTIONS = { vtepdev: "ul0", group: "239.1.1.101", port: "4789" };
/** No window: a claim needs to spread to nobody. */
export const IPAM = { type: "routetable-ipam", propagationTimeout: 0 };

/** The network `red`, 10.97.1.0/24, VNI 101; `changes` replace keys of its entry. */
export function red(changes: Record<string, unknown> = {}): Vxlan {
  return { id: 101, name: "red", cidr: "10.97.1.0/24", options: OPTIONS, ...changes };
}

/** The network `blue`, 10.97.2.0/24, VNI 102. */
export function blue(changes: Record<string, unknown> = {}): Vxlan {
  return red({
    id: 102,
    name: "blue",
    cidr: "10.97.2.0/24",
    options: { ...OPTIONS, group: "239.1.1.102" },
    ...changes,
  });
}

/** A configuration with the network `red`; `changes` replace its keys. */
export function netConf(changes: Record<string, unknown> = {}): NetConf {
  return {
    cniVersion: "1.1.0",
    name: "vxnet",
    type: "vxlan",
    ipam: IPAM,
    defaultNetwork: "red",
    vxlans: [red()],
    ...changes,
  };
}
