import { equal, ok } from "node:assert/strict";
import { EEXIST, ENODEV, errnoName, errnoText, failedWith, KernelError } from "../src/errno.ts";

Deno.test("errnoName() and errnoText() know the kernel's numbers and survive others", () => {
  equal(errnoName(17), "EEXIST");
  equal(errnoText(17), "EEXIST (file exists)");
  equal(errnoText(101), "ENETUNREACH (network is unreachable)");
  equal(errnoName(200), "errno 200");
  equal(errnoText(200), "errno 200");
});

Deno.test("KernelError says what was tried, what the kernel answered, and its own words", () => {
  equal(new KernelError('create link "vx_red"', EEXIST).message, 'Cannot create link "vx_red": EEXIST (file exists)');
  equal(
    new KernelError("add route 10.97.9.0/24", 101, "Nexthop has invalid gateway").message,
    "Cannot add route 10.97.9.0/24: ENETUNREACH (network is unreachable): Nexthop has invalid gateway",
  );
});

Deno.test("failedWith() is for KernelError of these numbers only", () => {
  ok(failedWith(new KernelError("x", EEXIST), ENODEV, EEXIST));
  ok(!failedWith(new KernelError("x", EEXIST), ENODEV));
  ok(!failedWith(new Error("EEXIST"), EEXIST));
  ok(!failedWith(undefined, EEXIST));
});
