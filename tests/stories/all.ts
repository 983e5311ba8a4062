/** All stories, by what they are about. */
import type { Story } from "../lib/stage.ts";
import { ADD } from "./add.ts";
import { CHECK } from "./check.ts";
import { CLAIM } from "./claim.ts";
import { CRASH } from "./crash.ts";
import { DEL } from "./del.ts";
import { FAILURE } from "./failure.ts";
import { GC } from "./gc.ts";
import { IPAM_ALONE } from "./ipam.ts";
import { LEDGER } from "./ledger.ts";
import { REQUESTS } from "./requests.ts";
import { RESULT } from "./result.ts";
import { STATUS } from "./status.ts";
import { TRACE } from "./trace.ts";
import { UNDO } from "./undo.ts";

export const STORIES: Readonly<Record<string, readonly Story[]>> = {
  add: ADD,
  result: RESULT,
  requests: REQUESTS,
  check: CHECK,
  del: DEL,
  gc: GC,
  status: STATUS,
  failure: FAILURE,
  undo: UNDO,
  crash: CRASH,
  ledger: LEDGER,
  claim: CLAIM,
  trace: TRACE,
  ipam: IPAM_ALONE,
};
