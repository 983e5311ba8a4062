/**
 * Records what `ip` says to the kernel and what the kernel answers, as the golden bytes of the tests: `fixtures/netlink/*.hex`; all of
 * them, or those that are named as arguments. First line: the command; each further line: one datagram. Needs root, iproute2 and
 * strace; works in a namespace that it throws away.
 */
const FOLDER = new URL("../fixtures/netlink/", import.meta.url).pathname;

interface Recording {
  /** File name; one that ends in `_reply` holds what the kernel answered. */
  name: string;
  command: string;
  /** The message type (RTM_*) that is meant; `ip` asks for other things before and after. */
  type: number;
}

const NEWLINK = 16,
  GETLINK = 18,
  NEWADDR = 20,
  GETADDR = 22,
  NEWROUTE = 24,
  DELROUTE = 25,
  GETROUTE = 26,
  NEWNEIGH = 28;
const NEWRULE = 32, GETRULE = 34, ERROR = 2;

const VXLAN_OPTIONS = "ttl 4 tos 16 nolearning proxy rsc l2miss l3miss ageing 120 maxaddress 100";

const SETUP = [
  "ip link set lo up",
  "ip link add ul0 address 02:00:5e:10:00:01 type veth peer name ul1",
  "ip link set ul0 up",
  "ip link set ul1 up",
  "ip addr add 192.0.2.1/24 dev ul0",
  "ip addr add fd00:ff::1/64 dev ul0 nodad",
  "ip netns add inside",
];

/** In this order: later ones stand on earlier ones. */
const RECORDINGS: Recording[] = [
  {
    name: "link_add_vxlan",
    command: "ip link add vx_red up type vxlan id 101 group 239.1.1.101 dev ul0 dstport 4789 ttl 4",
    type: NEWLINK,
  },
  {
    name: "link_add_vxlan_v6",
    command: "ip link add vx_six type vxlan id 106 group ff05::101 local fd00:ff::1 dev ul0 dstport 8472",
    type: NEWLINK,
  },
  {
    name: "link_add_vxlan_options",
    command:
      `ip link add vx_opt mtu 1400 txqlen 500 address 02:00:5e:10:00:63 type vxlan id 99 local 192.0.2.1 dev ul0 dstport 4790 srcport 5000 6000 ${VXLAN_OPTIONS} gbp`,
    type: NEWLINK,
  },
  { name: "link_add_macvlan", command: "ip link add mv_red link vx_red up type macvlan mode bridge", type: NEWLINK },
  {
    name: "link_add_macvlan_netns",
    command: "ip link add link vx_red eth0 address 02:00:5e:10:00:02 mtu 1400 netns inside type macvlan mode bridge",
    type: NEWLINK,
  },
  { name: "link_set", command: "ip link set mv_red up mtu 1400 address 02:00:5e:10:00:03", type: NEWLINK },
  { name: "address_add", command: "ip addr add 10.97.1.105/24 brd + dev mv_red", type: NEWADDR },
  { name: "address_add_v6", command: "ip addr add fd00:97:1::105/64 dev mv_red nodad", type: NEWADDR },
  { name: "route_add_host", command: "ip route add 10.97.1.202/32 dev mv_red proto 192 scope global", type: NEWROUTE },
  {
    name: "route_add_host_metric",
    command: "ip route add fd00:97:1::202/128 dev mv_red proto 192 metric 77",
    type: NEWROUTE,
  },
  { name: "route_add_default", command: "ip route add default via 192.0.2.254 dev ul0", type: NEWROUTE },
  { name: "route_add_table", command: "ip route add 10.97.1.0/24 dev mv_red table 192", type: NEWROUTE },
  {
    name: "route_add_table_large",
    command: "ip -6 route add fd00:97:1::/64 dev mv_red table 70000",
    type: NEWROUTE,
  },
  {
    name: "rule_add",
    command: "ip rule add from 10.97.1.0/24 to 10.97.1.0/24 lookup 192 priority 32765",
    type: NEWRULE,
  },
  {
    name: "rule_add_v6",
    command: "ip -6 rule add from fd00:97:1::/64 to fd00:97:1::/64 lookup 70000 priority 32765",
    type: NEWRULE,
  },
  { name: "route_get_fibmatch", command: "ip route get fibmatch 10.97.1.202", type: GETROUTE },
  { name: "route_get_fibmatch_reply", command: "ip route get fibmatch 10.97.1.202", type: NEWROUTE },
  { name: "link_dump", command: "ip link show", type: GETLINK },
  { name: "link_dump_reply", command: "ip -d link show", type: NEWLINK },
  { name: "address_dump", command: "ip addr show dev mv_red", type: GETADDR },
  { name: "address_dump_reply", command: "ip addr show dev mv_red", type: NEWADDR },
  { name: "route_dump", command: "ip -4 route show table 192", type: GETROUTE },
  { name: "route_dump_reply", command: "ip -4 route show table all", type: NEWROUTE },
  { name: "route_dump_v6_reply", command: "ip -6 route show table 70000", type: NEWROUTE },
  { name: "rule_dump", command: "ip -4 rule show", type: GETRULE },
  { name: "rule_dump_reply", command: "ip -4 rule show", type: NEWRULE },
  { name: "error_reply", command: "ip route add 10.97.9.0/24 via 203.0.113.9", type: ERROR },
  {
    name: "address_add_bare",
    command: "ip addr add fd00:97:1::203/128 dev mv_red nodad noprefixroute preferred_lft 0",
    type: NEWADDR,
  },
  { name: "route_add_local", command: "ip route add local 10.97.1.203/32 dev mv_red table local", type: NEWROUTE },
  { name: "route_del_local", command: "ip route del local 10.97.1.203/32 dev mv_red table local", type: DELROUTE },
  {
    name: "route_add_metrics",
    command: "ip route add 10.98.0.0/16 via 10.97.1.254 dev mv_red metric 5 mtu 1300 advmss 1260",
    type: NEWROUTE,
  },
  { name: "neighbour_use", command: "ip neigh add 10.97.1.105 dev mv_red nud none use", type: NEWNEIGH },
  {
    name: "attribute_error",
    command: "ip link add vx_bad type vxlan id 107 dev ul0 dstport 4789 srcport 6000 5000",
    type: NEWLINK,
  },
  {
    name: "attribute_error_reply",
    command: "ip link add vx_bad type vxlan id 107 dev ul0 dstport 4789 srcport 6000 5000",
    type: ERROR,
  },
];

/** All datagrams that strace dumped, each with the direction of its call. */
function datagrams(trace: string): { sent: boolean; bytes: number[] }[] {
  const out: { sent: boolean; bytes: number[] }[] = [];
  let sent = false;
  for (const line of trace.split("\n")) {
    const call = /^(?:\d+ +)?(send|recv)(?:msg|to|from)?\(/.exec(line);
    if (call !== null) sent = call[1] === "send";
    if (line.startsWith(" | 00000 ")) out.push({ sent, bytes: [] });
    const dump = /^ \| [0-9a-f]{5,} {2}((?:[0-9a-f]{2} {1,2}){1,16})/.exec(line);
    if (dump?.[1] === undefined) continue;
    out.at(-1)?.bytes.push(...dump[1].trim().split(/ +/).map((pair) => Number.parseInt(pair, 16)));
  }
  return out.filter(({ bytes }) => bytes.length >= 16);
}

async function output(command: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command[0] ?? "", { args: command.slice(1) }).output();
  const text = new TextDecoder();
  if (code !== 0 && code !== 2) throw new Error(`Cannot run ${command.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

/** Replies belong to the question of the command, errors to its last one: `ip` also reads links to learn their names. */
function chosen(trace: string, { name, type }: Recording): number[][] {
  const typeOf = (bytes: number[]) => (bytes[4] ?? 0) | (bytes[5] ?? 0) << 8;
  const wanted = datagrams(trace).filter(({ sent, bytes }) =>
    sent !== name.endsWith("_reply") && typeOf(bytes) === type
  );
  const isList = name.endsWith("_reply") && type !== ERROR;
  return (isList ? wanted : wanted.slice(-1)).map(({ bytes }) => bytes);
}

if (import.meta.main) {
  const asked = RECORDINGS.filter(({ name }) => Deno.args.length === 0 || Deno.args.includes(name));
  const folder = await Deno.makeTempDir();
  try {
    const strace = `strace -qq -e trace=sendmsg,sendto,recvmsg -e write=all -e read=all -o ${folder}`;
    const script = [
      "set -e",
      "mount -t tmpfs tmpfs /run && mkdir /run/netns",
      ...SETUP,
      ...RECORDINGS.map(({ name, command }) =>
        `${strace}/${name} ${command} >/dev/null 2>&1 || [ ${/error/.test(name)} = true ]`
      ),
    ];
    await output(["unshare", "--net", "--mount", "sh", "-c", script.join("\n")]);
    for (const recording of asked) {
      const found = chosen(await Deno.readTextFile(`${folder}/${recording.name}`), recording);
      if (found.length === 0) throw new Error(`Cannot find the message in what "${recording.command}" sent`);
      const lines = found.map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(""));
      await Deno.writeTextFile(`${FOLDER}${recording.name}.hex`, [recording.command, ...lines, ""].join("\n"));
    }
    console.log(`Recorded ${asked.length} fixtures in ${FOLDER}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
