/** Routes through devices. */
import { ENODEV, ESRCH } from "../errno.ts";
import { bits, formatCidr, formatIp, sameIp } from "../ip.ts";
import type { Kernel } from "../netlink/kernel.ts";
import { delRoute, newRoute, type Route, type RouteMessage } from "../netlink/route.ts";
import { type Device, indexOf, kernelOf, type Kind, MISSING, needIndex, type Place, PRESENT } from "./kind.ts";

/** What is not given is chosen as `ip route` does, and not compared: a later plugin of a chain (sbr) may have moved the route to another table. */
export interface RouteObject extends Omit<Route, "oif"> {
  kind: "route";
  in: Place;
  device: Device;
}

export const routeKind: Kind<RouteObject> = {
  stage: 2,
  describe({ to, gateway, device, table, metric }) {
    const via = gateway === undefined ? "" : ` via ${formatIp(gateway)}`;
    const inTable = table === undefined ? "" : ` in table ${table}`;
    return `route ${formatCidr(to)}${via} dev "${device.name}"${inTable}${metric ? ` metric ${metric}` : ""}`;
  },
  inspect(kernel, wanted) {
    const oif = indexOf(kernel, wanted.device);
    return oif !== undefined && stands(kernel, wanted, oif) ? PRESENT : MISSING;
  },
  create(kernels, { in: place, device, kind: _, ...route }) {
    const kernel = kernelOf(kernels, place);
    return { kernel, request: newRoute({ ...route, oif: needIndex(kernel, device) }) };
  },
  remove(kernel, { in: _1, device, kind: _2, ...route }) {
    const oif = indexOf(kernel, device);
    return oif === undefined ? undefined : { kernel, request: delRoute({ ...route, oif }), gone: [ESRCH, ENODEV] };
  },
};

/** A host route is looked up first, which costs the same however many routes there are; it does not show behind another one or behind a rule. */
function stands(kernel: Kernel, wanted: RouteObject, oif: number): boolean {
  const { to: { ip, length }, table } = wanted;
  const isSame = (found: RouteMessage) => found.oif === oif && matches(found, wanted);
  if (length === bits(ip.version)) {
    const found = kernel.lookup(ip);
    if (found !== undefined && isSame(found)) return true;
  }
  return kernel.routes(ip.version, { table, oif }).some(isSame);
}

function matches(found: RouteMessage, { to, gateway, table, protocol, metric, scope, type, mtu, advmss }: RouteObject) {
  const isTo = found.length === to.length && (to.length === 0 || (found.to !== undefined && sameIp(found.to, to.ip)));
  const isVia = gateway === undefined
    ? found.gateway === undefined
    : found.gateway !== undefined && sameIp(found.gateway, gateway);
  const pairs = [
    [table, found.table],
    [protocol, found.protocol],
    [metric === 0 ? undefined : metric, found.priority],
    // IPv6 knows no scopes.
    [to.ip.version === 4 ? scope : undefined, found.scope],
    [type, found.type],
    [mtu, found.metrics?.mtu],
    [advmss, found.metrics?.advmss],
  ];
  return isTo && isVia && pairs.every(([wanted, has]) => wanted === undefined || wanted === has);
}
