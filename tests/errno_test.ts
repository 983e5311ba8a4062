import { equal, ok } from "node:assert/strict";
import { EEXIST, EINVAL, ENODEV, ENOENT, errnoOf, errnoText, failedWith, KernelError } from "../src/errno.ts";

Deno.test("errnoText() and errnoOf() know the kernel's numbers and survive others", () => {
  equal(errnoText(17), "EEXIST (file exists)");
  equal(errnoText(101), "ENETUNREACH (network is unreachable)");
  equal(errnoText(18), "EXDEV");
  for (const number of [200, 41, 0, -1]) equal(errnoText(number), `errno ${number}`);
  equal(errnoOf("EEXIST"), EEXIST);
  equal(errnoOf("EHWPOISON"), 133);
  for (const name of ["", "0", "EEXISTS", "eexist"]) equal(errnoOf(name), undefined, name);
});

Deno.test("KernelError says what was tried, what the kernel answered, which attribute it refused, and its own words", () => {
  const cases: [KernelError, string][] = [
    [new KernelError('create link "vx_red"', EEXIST), 'Cannot create link "vx_red": EEXIST (file exists)'],
    [
      new KernelError("add route 10.97.9.0/24", 101, { words: "Nexthop has invalid gateway" }),
      "Cannot add route 10.97.9.0/24: ENETUNREACH (network is unreachable): Nexthop has invalid gateway",
    ],
    [
      new KernelError('create link "vx_red"', EINVAL, { attribute: "info.vxlan.portRange", words: "Invalid range" }),
      'Cannot create link "vx_red": EINVAL (invalid argument): info.vxlan.portRange: Invalid range',
    ],
    [
      new KernelError('read "/run/x"', ENOENT, { file: true }),
      'Cannot read "/run/x": ENOENT (no such file or directory)',
    ],
  ];
  for (const [error, message] of cases) equal(error.message, message);
});

Deno.test("failedWith() is for KernelError of these numbers only", () => {
  ok(failedWith(new KernelError("x", EEXIST), ENODEV, EEXIST));
  ok(!failedWith(new KernelError("x", EEXIST), ENODEV));
  ok(!failedWith(new Error("EEXIST"), EEXIST));
  ok(!failedWith(undefined, EEXIST));
});
