import { deepEqual, equal, throws } from "node:assert/strict";
import { failures } from "../../src/state/failures.ts";

const fail = (error: unknown) => () => {
  throw error;
};

Deno.test("failures(): without any, nothing is thrown", async () => {
  const failed = failures();
  let done = 0;
  failed.attempt(() => void done++);
  await failed.wait(() => Promise.resolve(done++));
  failed.end();
  deepEqual([failed.some, done], [false, 2]);
});

Deno.test("failures(): one is thrown as it is", () => {
  for (const error of [new TypeError("no"), "text"]) {
    const failed = failures();
    failed.attempt(fail(error));
    failed.attempt(() => {});
    equal(failed.some, true);
    throws(() => failed.end(), (thrown) => thrown === error);
  }
});

Deno.test("failures(): after one it goes on, and tells all of them in their order", async () => {
  const failed = failures();
  failed.attempt(fail(new Error("first")));
  await failed.wait(() => Promise.reject(new Error("second")));
  await failed.wait(fail("third"));
  equal(failed.some, true);
  throws(() => failed.end(), (error: AggregateError) => {
    equal(error instanceof AggregateError, true);
    equal(error.message, "first");
    deepEqual(error.errors.map(String), ["Error: first", "Error: second", "third"]);
    return true;
  });
});
