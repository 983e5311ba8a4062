/** The list that GC comes with (CNI spec 1.1.0, section "GC"). */
import * as z from "zod/mini";
import type { Invocation } from "./invocation.ts";
import { invalid, parse, string } from "./schema.ts";

const listSchema = z.array(
  z.looseObject({ containerID: string("a container id"), ifname: string("an interface name") }, "an attachment"),
  "a list of attachments",
);
const KEY = "cni.dev/valid-attachments";
/** As libcni spells it. */
const ALIAS = "cni.dev/attachments";

/** Tells which attachments are to stay. Without the key nothing may be removed: throws CniError (7). */
export function keptAttachments(
  { config: { raw } }: Invocation,
): (key: { containerId: string; ifname: string }) => boolean {
  const [key, given] = raw[KEY] === undefined && raw[ALIAS] !== undefined ? [ALIAS, raw[ALIAS]] : [KEY, raw[KEY]];
  if (given === undefined) throw invalid(key, "the list of attachments that are still valid", undefined);
  const list = parse(listSchema, given, [key]);
  return ({ containerId, ifname }) => list.some((one) => one.containerID === containerId && one.ifname === ifname);
}
