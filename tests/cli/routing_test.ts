/** Which configuration a recipe is made from, and what of the words goes into it. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { netConf, red } from "../lib/config.ts";
import { operate } from "./operator.ts";

const RED = JSON.stringify(
  netConf({ vxlans: [red({ cidrs: ["fd00:97:1::/64"] })], ipam: { type: "routetable-ipam" } }),
);
const BRIDGE = JSON.stringify({ cniVersion: "1.0.0", name: "br", type: "bridge" });
const LIST = JSON.stringify({ cniVersion: "1.0.0", name: "list", plugins: [JSON.parse(BRIDGE), JSON.parse(RED)] });
const FOLDER = "/etc/cni/net.d";

Deno.test("a recipe for each daemon, of the networks of the configuration", async () => {
  for (const daemon of ["bird", "frr"]) {
    const { code, printed, warned } = await operate(["routing", daemon, "--config", "/x"], { files: { "/x": RED } });
    deepEqual([code, warned], [0, ""]);
    for (const word of ["red", "10.97.1.0/24", "fd00:97:1::/64", "CHANGE:"]) ok(printed.includes(word), word);
  }
});

Deno.test("without --config the first configuration of type vxlan is taken, also out of a list", async () => {
  const files = {
    [`${FOLDER}/00-readme.txt`]: "no JSON",
    [`${FOLDER}/10-bridge.conf`]: BRIDGE,
    [`${FOLDER}/20-list.conflist`]: LIST,
    [`${FOLDER}/30-other.json`]: JSON.stringify(netConf({ vxlans: [red({ cidr: "10.99.0.0/16" })] })),
  };
  const { code, printed } = await operate(["routing", "bird"], { files });
  equal(code, 0);
  ok(printed.includes("10.97.1.0/24") && !printed.includes("10.99.0.0/16"));
});

Deno.test("nodes, protocol, autonomous system and interface come from the words", async () => {
  const words = ["--self", "n1=192.0.2.1,2001:db8::1", "--peer", "n2=192.0.2.2,2001:db8::2", "--peer=n3=192.0.2.3"];
  const more = ["--asn", "65001", "--interface", "ul0"];
  const files = { "/x": RED };
  const ibgp = await operate(["routing", "bird", "--config", "/x", ...words, ...more], { files });
  equal(ibgp.code, 0, ibgp.warned);
  ok(!ibgp.printed.includes("CHANGE:"), "nothing is left to fill in");
  for (const word of ["'n2'", "'n3'", "192.0.2.3", "65001"]) ok(ibgp.printed.includes(word), word);
  const ospf = await operate(["routing", "bird", "--config", "/x", "--protocol", "ospf", ...words, ...more], { files });
  match(ospf.printed, /protocol ospf[^]*interface "ul0"/);
});

Deno.test("a recipe that cannot be made ends with 1 and says what to give", async () => {
  const cases: [words: string[], complaint: RegExp][] = [
    [[], /^Cannot print a recipe: wanted bird or frr, got nothing$/],
    [["quagga"], /^Cannot print a recipe: wanted bird or frr, got quagga$/],
    [["bird"], /no network configuration of type vxlan in \/etc\/cni\/net\.d; name one with --config FILE$/],
    [["bird", "--config", "/none"], /No such file.*\/none/],
    [["bird", "--config", "/bridge"], /no network configuration of type vxlan/],
    [["bird", "--config", "/broken"], /^Cannot decode network configuration/],
    [["bird", "--config", "/x", "--protocol", "rip"], /--protocol: wanted one of ibgp, ospf, babel, got "rip"$/],
    [["frr", "--config", "/x", "--protocol", "babel"], /use BIRD/],
    ...["x", "0", "4294967296", "1.5", ""].map((asn): [string[], RegExp] => [
      ["bird", "--config", "/x", "--asn", asn],
      new RegExp(`--asn: wanted a whole number from 1 to 4294967295, got "${asn}"$`),
    ]),
    [["bird", "--config", "/x", "--self", "n1"], /^Cannot read node: wanted NAME=ADDRESS or .*, got "n1"$/],
    [["bird", "--config", "/x", "--peer", "n2=host"], /^Cannot read node: .*, got "n2=host"$/],
  ];
  const files = { "/x": RED, "/bridge": BRIDGE, "/broken": "{" };
  for (const [words, complaint] of cases) {
    const { code, printed, warned } = await operate(["routing", ...words], { files });
    deepEqual([code, printed], [1, ""], words.join(" "));
    match(warned, complaint);
  }
});
