/** Addresses of the fake kernel; the routes that they bring are kept beside them. */
import { contains, prefixOf, sameIp } from "../../src/ip.ts";
import type { Address } from "../../src/netlink/address.ts";
import { keepKernelRoutes, loseRoutes } from "./routes.ts";
import { cidrOf, type FakeAddress, IPV4, linkByIndex, no, type Space } from "./space.ts";

const IFA_F_NOPREFIXROUTE = 0x200;

export function newAddress(space: Space, { index = 0, local, length = 0, family = IPV4, flags = 0 }: Address): void {
  const link = linkByIndex(space, index);
  const cidr = cidrOf(local, length, family);
  // An IPv4 address may be there with several lengths.
  const isSame = (one: FakeAddress) =>
    one.index === index && sameIp(one.cidr.ip, cidr.ip) && (family !== IPV4 || one.cidr.length === length);
  if (space.addresses.some(isSame)) throw no(17);
  space.addresses.push({ index, cidr, bare: (flags & IFA_F_NOPREFIXROUTE) !== 0 });
  keepKernelRoutes(space, link);
}

export function removeAddress(space: Space, { index = 0, local, length = 0, family = IPV4 }: Address): void {
  const link = linkByIndex(space, index);
  const cidr = cidrOf(local, length, family);
  const found = space.addresses.find((one) =>
    one.index === index && sameIp(one.cidr.ip, cidr.ip) && one.cidr.length === length
  );
  if (found === undefined) throw no(99);
  const gone = family === IPV4 ? [found, ...secondaries(space, found)] : [found];
  space.addresses = space.addresses.filter((one) => !gone.includes(one));
  keepKernelRoutes(space, link);
  const isLeft = space.addresses.some((one) => one.index === index && one.cidr.ip.version === 4);
  if (family === IPV4 && !isLeft) loseRoutes(space, (route) => route.family === IPV4 && route.oif === index);
}

/** Of several IPv4 addresses of a prefix the first one is primary: the others go with it. */
function secondaries({ addresses }: Space, { index, cidr }: FakeAddress): FakeAddress[] {
  const same = addresses.filter((one) =>
    one.index === index && one.cidr.length === cidr.length && contains(prefixOf(cidr), one.cidr.ip)
  );
  return same[0]?.cidr === cidr ? same.slice(1) : [];
}
