/** Addresses on devices. */
import { EADDRNOTAVAIL, ENODEV } from "../errno.ts";
import { type Cidr, formatCidr, sameIp } from "../ip.ts";
import { delAddress, newAddress, ownAddress } from "../netlink/address.ts";
import { type Device, indexOf, kernelOf, type Kind, MISSING, needIndex, type Place, PRESENT } from "./kind.ts";

export interface AddressObject {
  kind: "address";
  in: Place;
  device: Device;
  address: Cidr;
  /** Without a route to its prefix, and never chosen as a source. */
  bare?: boolean;
}

export const addressKind: Kind<AddressObject> = {
  stage: 1,
  describe: ({ address, device }) => `address ${formatCidr(address)} on "${device.name}"`,
  inspect(kernel, { device, address }) {
    const index = indexOf(kernel, device);
    const held = index === undefined ? [] : kernel.addresses(index);
    const found = held.some((one) => {
      const ip = ownAddress(one);
      return ip !== undefined && sameIp(ip, address.ip) && one.length === address.length;
    });
    return found ? PRESENT : MISSING;
  },
  create(kernels, { in: place, device, address, bare }) {
    const kernel = kernelOf(kernels, place);
    return {
      kernel,
      request: newAddress({ cidr: address, index: needIndex(kernel, device), device: device.name }, bare),
    };
  },
  remove(kernel, { device, address }) {
    const index = indexOf(kernel, device);
    if (index === undefined) return undefined;
    const request = delAddress({ cidr: address, index, device: device.name });
    return { kernel, request, gone: [EADDRNOTAVAIL, ENODEV] };
  },
};
